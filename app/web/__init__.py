"""Transports: HTTP, server-sent events and WebSocket, who is calling, and how much they may do."""
