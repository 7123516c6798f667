"""How much of it: what callers may spend, and how many of them there may be."""
