"""Apply: what a small file wishes for, against the world that is there, as the calls that make them alike."""
