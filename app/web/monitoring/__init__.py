"""What operators see: health, metrics, and the lines about operations."""
