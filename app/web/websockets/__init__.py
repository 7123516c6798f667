"""GraphQL over WebSocket, and sockets that misbehave."""
