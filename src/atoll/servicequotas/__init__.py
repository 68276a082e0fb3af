"""The Service Quotas API: what an account may have, and requests for more, each of which is approved at once."""
