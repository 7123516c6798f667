"""What the tests stand on: databases, the gateway in this process, and servers of their own."""
