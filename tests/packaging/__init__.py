"""What is installed from the package, not from a checkout."""
