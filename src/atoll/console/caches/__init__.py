"""The ElastiCache pages of the console: caches and all that belongs to them."""
