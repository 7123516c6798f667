"""What one operation carries and produces: its context, loaders, errors, and the size of its response."""
