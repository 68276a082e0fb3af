"""The machine: all I/O that makes a plan come true."""
