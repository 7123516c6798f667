"""Documents that are named by their hash: trusted ones, and those that clients persist."""
