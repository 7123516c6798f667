"""Pages for browsers: GraphiQL, the demo, and what they are made of."""
