"""The loops: want, have, difference, act, record."""
