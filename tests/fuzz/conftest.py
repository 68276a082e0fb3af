"""Fixtures of the API on paper."""

from tests.api.conftest import ec2, paper, subnet, vpc

__all__ = ["ec2", "paper", "subnet", "vpc"]
