"""Commands for operators: doctor, backup, export and import, offboarding a tenant."""
