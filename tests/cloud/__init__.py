"""A small OpenStack cloud for tests: Keystone, Glance, their PostgreSQL and RabbitMQ, as processes on this machine."""
