"""Commands for operators: doctor, backup, offboarding a tenant."""
