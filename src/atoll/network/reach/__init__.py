"""Who can reach what: the tracer asked of every pair, by classes of interfaces that the rules cannot tell apart."""
