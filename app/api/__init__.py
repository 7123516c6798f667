"""What the GraphQL schema means: it translates between GraphQL and the rooms below, and decides nothing."""
