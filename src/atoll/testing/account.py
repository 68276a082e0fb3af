"""A new account on a warm daemon: who calls AWS in a world, and how."""

from typing import Any

from atoll.testing.daemon import AtollError, Daemon, Mode

SECRET = "test"  # any will do: the daemon asks for no proof of who is on this machine


class Account:
    """An account in a region, with nothing in it but what every account of AWS begins with."""

    def __init__(self, daemon: Daemon, region: str) -> None:
        """Open a new account."""
        self.daemon, self.region = daemon, region
        self.mode: Mode = daemon.mode
        self.endpoint = daemon.endpoint
        self.account = daemon.new_account()
        self._accounts = {self.account}
        self._clients: dict[tuple[str, str, str], Any] = {}

    @property
    def whose(self) -> dict[str, str]:
        """The account and the region, as the private API takes them."""
        return {"account": self.account, "region": self.region}

    @property
    def is_real(self) -> bool:
        """Tell whether engines and packets are real; on paper only the API is."""
        return self.mode == "real"

    def client(self, service: str, *, account: str | None = None, region: str | None = None) -> Any:
        """Return a client of an AWS service, as `boto3.client` does; `account`: another one.

        Another account ends with this world.  Raises AtollError if the account is not a number of 12 digits.
        """
        account, region = account or self.account, region or self.region
        if len(account) != 12 or not account.isdigit():
            raise AtollError(f"{account!r} is not an account\nnext:  give a number of 12 digits")
        self._accounts.add(account)
        if (service, account, region) not in self._clients:
            from botocore.config import Config

            self._clients[service, account, region] = _session().create_client(
                service,
                region_name=region,
                endpoint_url=self.endpoint,
                aws_access_key_id=account,
                aws_secret_access_key=SECRET,
                config=Config(retries={"max_attempts": 0}, proxies={}),
            )
        return self._clients[service, account, region]

    def environment(self) -> dict[str, str]:
        """Return the variables that point every AWS tool, and `atoll`, at this world."""
        return {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ACCESS_KEY_ID": self.account,
            "AWS_SECRET_ACCESS_KEY": SECRET,
            "AWS_DEFAULT_REGION": self.region,
            "AWS_REGION": self.region,
            "AWS_EC2_METADATA_DISABLED": "true",
            "ATOLL_ENDPOINT": self.endpoint,
        }

    def close(self) -> None:
        """Forget all that it has: what runs of it ends while others go on."""
        for client in self._clients.values():
            client.close()
        self._clients.clear()
        if self.daemon.is_alive:
            self.daemon.post("/_atoll/reset", {"accounts": sorted(self._accounts)})


def _session() -> Any:
    """Return this process's session: it keeps what it has read of AWS's models."""
    global _SESSION
    if _SESSION is None:
        import botocore.session

        _SESSION = botocore.session.Session()
    return _SESSION


_SESSION: Any = None
