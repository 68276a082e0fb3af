"""Elastic Load Balancing verbs.  No I/O.

None is declared yet: the wire knows every ELBv2 operation from botocore's model and refuses each by name.
"""
