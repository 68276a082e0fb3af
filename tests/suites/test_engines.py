"""A small part of the Valkey project's own suite, against an endpoint and against the bare engine."""

import shutil
import sys

import pytest

from tests.daemon.atoll import own_mode, running
from tests.scenario.stage import ANYWHERE, Stage
from tests.suites import engines

SAID = """
[ready]: 5019
\x1b[1;37;49mTesting unit/type/incr\x1b[0m
[\x1b[0;32;49mok\x1b[0m]: INCR against non existing key (1 ms)
[\x1b[0;36;49mignore\x1b[0m]: A slow one: Tag: slow denied
[\x1b[0;31;49merr\x1b[0m]: Nothing is set in tests/unit/type/incr.tcl
ERR unknown command 'config', with args beginning with: 'set'
"""


def test_what_the_suite_prints_is_read():
    found = engines.read("unit/type/incr", SAID)

    assert found["unit/type/incr: INCR against non existing key"] == "passed"
    assert "unknown command 'config'" in found["unit/type/incr: Nothing is set"]
    assert len(found) == 2


@pytest.mark.kernel
@pytest.mark.engines
def test_what_passes_on_the_bare_engine_passes_on_an_endpoint():
    if shutil.which("tclsh") is None:
        pytest.skip("NOT TESTED: no tclsh; install the package tcl")
    with running(own_mode()) as atoll:
        stage = Stage(atoll)
        vpc = stage.vpc()
        subnet, group = stage.subnet(vpc, "10.0.0.0/24"), stage.group(vpc)
        stage.allow(group, 6379, ANYWHERE)
        app, subnets = stage.instance(subnet), stage.subnet_group(subnet)
        try:
            place, _ = engines.source(engines.SUITES[0], engines.HOME)
        except engines.NoSource as error:
            pytest.skip(f"NOT TESTED: {error}")
        name = stage.replication_group("valkey", subnets, group, 1)
        (found,) = stage.cache.describe_replication_groups(ReplicationGroupId=name)["ReplicationGroups"]
        endpoint = found["NodeGroups"][0]["PrimaryEndpoint"]["Address"]
        before = (sys.executable, "-m", "atoll.cli", "run", "--in", app, "--")

        said = engines.play(place, endpoint, 6379, before, engines.FEW, atoll.environment)

    wrong = {test: why for test, why in said.items() if why != "passed" and "unknown command" not in why}
    assert not wrong
    assert sum(why == "passed" for why in said.values()) > 30
