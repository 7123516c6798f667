"""The watch: subscriptions to the log, their items, and the payloads that watchers share."""
