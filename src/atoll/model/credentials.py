"""Credentials: how STS and the instance metadata service make temporary ones, and `atoll keys` such as last."""

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
            id=_id(tx, "ASIA"),
            account=account,
            region=region,
            secret=_secret(tx),
            arn=arn,
            session_token=base64.b64encode(bytes.fromhex(tx.new_hex(192))).decode(),
            issued=tx.now,
            expires=tx.now + lifetime,
            instance_id=instance_id,
        )
    )


def lasting(tx: Tx, *, account: str, region: str, arn: str) -> AccessKey:
    """Put an access key of a principal that is valid until it is deleted, in every region."""
    return tx.put(
        AccessKey(id=_id(tx, "AKIA"), account=account, region=region, secret=_secret(tx), arn=arn, issued=tx.now)
    )


def _id(tx: Tx, prefix: str) -> str:
    return prefix + base64.b32encode(bytes.fromhex(tx.new_hex(20))).decode()


def _secret(tx: Tx) -> str:
    return base64.b64encode(bytes.fromhex(tx.new_hex(60))).decode()
