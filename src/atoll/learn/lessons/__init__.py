"""The lessons: the documented procedures, step by step."""
