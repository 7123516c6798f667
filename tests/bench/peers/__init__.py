"""The gateway's peers: the same answers from the same tables, made by other means."""
