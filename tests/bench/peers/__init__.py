"""The gateway's peers, which give the same responses from the same tables."""
