"""The cloud behind the gateway: Keystone, which says who is calling, and Glance, which keeps the images."""
