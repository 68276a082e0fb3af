"""Load balancers and endpoints in the status, by name and state."""

from atoll.admin.status import status
from tests.network.lab import CALLER, Lab
from tests.network.test_trace_balancer import balanced


def test_balancers_are_shown_with_their_targets_and_endpoints_with_their_addresses():
    lab = balanced(balanced(Lab(), "c"), "p")
    lab.balancer("cache", "p0", "p1", ips=["10.0.0.100", "10.0.1.100"])
    lab.targets("t", "cache", "tcp 6379", "10.0.0.20:6379", "10.0.1.20:6379 unhealthy")
    lab.service("s", "cache")
    lab.endpoint("e", "s", "c0", ips=["10.0.0.50"])
    lab.gateway_endpoint("c", "s3", ["rtb-c"])

    seen = status(lab.world.seen_by(CALLER))

    (balancer,) = seen["balancers"]
    assert balancer["nodes"] == {"us-east-1a": "10.0.0.100", "us-east-1b": "10.0.1.100"}
    (listener,) = balancer["listeners"]
    assert [(t["id"], t["state"]) for t in listener["targets"]] == [
        ("10.0.0.20", "healthy"), ("10.0.1.20", "unhealthy"),
    ]  # fmt: skip
    shown = {e["id"]: (e["state"], list(e["addresses"].values()), e["tables"]) for e in seen["endpoints"]}
    assert shown == {
        "vpce-e": ("available", ["10.0.0.50"], []), "vpce-c-s3": ("available", [], ["rtb-c"]),
    }  # fmt: skip
