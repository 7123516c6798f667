"""One operation: its context, loaders, errors, and the size of its response."""
