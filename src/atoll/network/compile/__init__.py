"""Compile the World: each file makes the facts of one kind of resource."""
