"""Moving in and out: the images and members of a store as JSON lines."""
