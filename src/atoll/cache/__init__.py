"""Caches: families, node types, configuration, endpoints, layout.  No I/O."""
