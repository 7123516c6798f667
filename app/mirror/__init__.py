"""The rows that mirror an upstream: what others change there becomes rows and events here."""
