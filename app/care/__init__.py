"""For those who operate the gateway: doctor, backup, and a tenant that leaves."""
