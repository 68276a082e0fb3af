"""What an instance finds in its network: the resolver."""
