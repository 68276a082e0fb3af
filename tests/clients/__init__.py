"""Clients that people use, unchanged, against a real daemon."""
