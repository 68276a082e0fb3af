"""Make AWS calls at the daemon, as boto3 would, in the name that the environment gives."""

import os
from collections.abc import Callable, Mapping
from typing import Any

from atoll.cli import private
from atoll.cli.failure import Failure
from atoll.recipe import cli
from atoll.recipe.step import Step, replaced

POLL_SECONDS, WAIT_SECONDS_MAX = 0.25, 600.0  # a cache with many shards takes a minute on a busy machine
ATTEMPTS = int(WAIT_SECONDS_MAX / POLL_SECONDS)


class Calls:
    """Clients for AWS's services here; importing botocore costs a quarter of a second, so only who calls has them."""

    def __init__(self, region: str) -> None:
        """Use the daemon at the endpoint, and the keys of the environment, or dummy ones."""
        from botocore.config import Config
        from botocore.session import Session

        session, config = Session(), Config(retries={"total_max_attempts": 1}, read_timeout=120)
        account = os.environ.get("AWS_ACCESS_KEY_ID") or "test"
        secret = os.environ.get("AWS_SECRET_ACCESS_KEY") or "test"
        token = os.environ.get("AWS_SESSION_TOKEN") or None
        self._make: Callable[[str], Any] = lambda service: session.create_client(
            service, region_name=region, endpoint_url=private.endpoint(), aws_access_key_id=account,
            aws_secret_access_key=secret, aws_session_token=token, config=config,
        )  # fmt: skip
        self._clients: dict[str, Any] = {}
        self.ids: dict[str, str] = {}  # what steps call things, and the ids that they have got

    def _client(self, service: str) -> Any:
        if service not in self._clients:
            self._clients[service] = self._make(service)
        return self._clients[service]

    def spelled(self, step: Step) -> str:
        """Return a step as an AWS CLI command; what is not made yet is told by its name."""
        return cli.command(step.service, step.operation, self._known(step.parameters), secrets=False)

    def make(self, step: Step) -> None:
        """Make the call, note what it has made, and wait until it is there.  Raises Failure."""
        import jmespath
        from botocore import xform_name
        from botocore.exceptions import BotoCoreError, ClientError, WaiterError

        client = self._client(step.service)
        try:
            answer = getattr(client, xform_name(step.operation))(**self._known(step.parameters))
            for made in step.made:
                self.ids[made.id] = str(jmespath.search(made.path, answer))
            for wait in step.waits:
                config = {"Delay": POLL_SECONDS, "MaxAttempts": ATTEMPTS}
                client.get_waiter(wait.waiter).wait(**self._known(wait.parameters), WaiterConfig=config)
        except ClientError as error:
            told = error.response["Error"]
            raise Failure(f"{step.operation} was refused: {told['Code']}: {told['Message']}", "") from None
        except WaiterError as error:
            raise Failure(f"{step.operation} has not come to its end: {error}", "") from None
        except BotoCoreError as error:
            raise Failure(f"{step.operation} failed: {error}", "") from None

    def _known(self, parameters: Mapping[str, Any]) -> Any:
        return replaced(parameters, lambda text: self.ids.get(text, text))
