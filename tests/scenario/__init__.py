"""The numbered claims of the documentation, each as a test: real packets, real engines, real clients."""
