"""Elastic Load Balancing verbs: Network Load Balancers, their listeners and target groups.  No I/O.

Application, Gateway and Classic Load Balancers, and TLS listeners, are refused by name.
"""
