"""(j) What the console's pages take in a daemon with many resources: large tables, filtered, sorted and whole.

A page is rendered on the daemon's one loop, so its time is also how long an API call may wait for it.
"""

import http.client
import json
import time
from collections.abc import Callable

from atoll.console.access import key_of, link
from bench.ground import Atoll, one, running
from bench.rows import Asked, Row, interleave, rows

PLACE = "/console/000000000000/us-east-1"
TARGET = "under 200 ms"
PATHS = {
    "the overview": "/",
    "security groups: the first page": "/vpc/groups",
    "security groups: filtered and sorted": "/vpc/groups?sort=group&q=bench-1",
    "security groups: all in one page": "/vpc/groups?rows=1000",
    "one security group": "/vpc/groups/{group}",
    "its rule editor": "/vpc/groups/{group}/rules/in",
}


def measure(rounds: int, resources: int) -> list[Row]:
    """Make `resources` security groups, then fetch each page `rounds` times."""
    with running("--host", "paper") as atoll:
        vpc = one(atoll.api.ec2("DescribeVpcs"), "vpcId")
        for n in range(resources):
            made = atoll.api.ec2("CreateSecurityGroup", VpcId=vpc, GroupName=f"bench-{n}", GroupDescription="bench")
        visit = _visitor(atoll)
        paths = {name: path.format(group=one(made, "groupId")) for name, path in PATHS.items()}
        pages = {name: (lambda path=path: visit(path)) for name, path in paths.items()}
        interleave(pages, 1)  # templates are compiled once
        series = interleave(pages, rounds)
    asked = [Asked(series=name, unit="ms", baseline="the overview", target=TARGET) for name in PATHS]
    return rows(f"the console with {resources:,} security groups", series, asked)


def _visitor(atoll: Atoll) -> Callable[[str], float]:
    """Return a function that fetches a page and says how many milliseconds that took."""
    connection = http.client.HTTPConnection("127.0.0.1", atoll.port)
    connection.request("GET", "/_atoll/owner")
    challenge = json.load(connection.getresponse())["challenge"]
    connection.request("GET", link(f"http://127.0.0.1:{atoll.port}", key_of(atoll.state), challenge))
    entered = connection.getresponse()
    entered.read()
    cookie = (entered.getheader("set-cookie") or "").partition(";")[0]

    def visit(path: str) -> float:
        begun = time.perf_counter()
        connection.request("GET", f"{PLACE}{path}", headers={"Cookie": cookie})
        answer = connection.getresponse()
        text = answer.read()
        assert answer.status == 200, text[:500]
        return (time.perf_counter() - begun) * 1e3

    return visit
