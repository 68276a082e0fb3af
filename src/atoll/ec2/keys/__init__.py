"""Keys as bytes.  Apart, so that `cryptography` (16 ms, 4 MB) is loaded by the first key and not by a start."""
