"""Tests of the network: what the tracer says, and that the plan says the same."""
