"""The differences between SQLite and PostgreSQL: opening, writing, prepared statements, notifications."""
