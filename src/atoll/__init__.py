"""Amazon ElastiCache and the Amazon VPC around it, on one Linux machine."""
