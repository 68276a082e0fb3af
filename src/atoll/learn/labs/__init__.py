"""The labs: worlds in which something is wrong, and judges that accept whatever mends it without opening the rest."""
