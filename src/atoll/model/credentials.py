"""Temporary credentials: how STS and the instance metadata service make them."""

import base64
from datetime import timedelta

from atoll.model.account import AccessKey
from atoll.model.world import Tx


def issue(
    tx: Tx, *, account: str, region: str, arn: str, lifetime: timedelta, instance_id: str | None = None
) -> AccessKey:
    """Put a temporary access key of a principal; it is valid in every region."""
    return tx.put(
        AccessKey(
            id="ASIA" + base64.b32encode(bytes.fromhex(tx.new_hex(20))).decode(),
            account=account,
            region=region,
            secret=base64.b64encode(bytes.fromhex(tx.new_hex(60))).decode(),
            arn=arn,
            session_token=base64.b64encode(bytes.fromhex(tx.new_hex(192))).decode(),
            issued=tx.now,
            expires=tx.now + lifetime,
            instance_id=instance_id,
        )
    )
