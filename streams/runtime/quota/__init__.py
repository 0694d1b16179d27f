"""What `calls` says of the quotas: how every bucket stands, and who uses it. Estimates are pure; `calls` reads."""
