"""GraphQL over WebSocket: handshake, operations, close codes."""
