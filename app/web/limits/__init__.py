"""Budgets, admission, and quotas of connections and watches."""
