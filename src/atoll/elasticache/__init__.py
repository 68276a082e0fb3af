"""ElastiCache verbs: a file per noun.  No I/O."""
