"""Pages for browsers: GraphiQL, the demo, and their assets."""
