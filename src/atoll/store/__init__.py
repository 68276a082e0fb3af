"""The World on disk."""
