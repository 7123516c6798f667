"""Health, metrics, traces, and the log line of each operation."""
