"""What an instance finds in its network: the resolver and the metadata service."""
