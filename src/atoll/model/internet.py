"""The simulated internet: outside clients, with addresses of the user's choice."""

from dataclasses import dataclass

from atoll.model.ip import Ip
from atoll.model.resource import Resource


@dataclass(frozen=True, slots=True, kw_only=True)
class OutsideHost(Resource):
    """A client on the internet.  Its id is its address; it belongs to nobody's account (`account` is empty)."""

    address: Ip
