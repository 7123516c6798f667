"""GraphQL documents: parsed, validated, measured, priced, cached, and named by their hash."""
