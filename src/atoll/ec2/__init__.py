"""EC2 verbs: a file per noun, with its operations, its FILTERS, find and render.  No I/O."""
