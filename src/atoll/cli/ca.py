"""`atoll ca`: the certificate to trust, for clients that do not run inside an instance."""

from atoll.cli import private


def authority() -> str:
    """Return it, in PEM."""
    return private.raw("/_atoll/ca").decode()
