"""Amazon ElastiCache and the Amazon VPC around it, on one Linux machine."""

__version__ = "0.1.0"
