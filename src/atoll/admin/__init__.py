"""The private API under `/_atoll`: what the command line and tests ask that AWS has no call for."""
