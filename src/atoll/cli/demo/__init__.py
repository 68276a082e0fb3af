"""The documented scenario, "Accessing your ElastiCache cluster", played for real and checked."""
