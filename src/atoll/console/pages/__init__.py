"""The pages, a module per area: each registers what it has (`site.py`)."""
