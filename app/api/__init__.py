"""The GraphQL API: translates between GraphQL and the rooms below, and decides nothing."""
