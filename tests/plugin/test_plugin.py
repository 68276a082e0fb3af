"""The pytest plugin, as somebody's own suite uses it: a pytest of its own, whose failures are what is looked at."""

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from tests.plugin.suite import Suite, kill, passed, until

pytestmark = pytest.mark.timeout(300)
SAMPLE = Path(__file__).parents[2] / "examples" / "pytest-app"


@pytest.fixture
def suite():
    place = Path(tempfile.mkdtemp(prefix="atp-", dir="/tmp"))  # short: paths of sockets are
    made = Suite(place)
    yield made
    kill(*made.daemons())
    shutil.rmtree(place, ignore_errors=True)


@pytest.mark.kernel
@pytest.mark.engines
def test_the_sample_app_passes_on_four_workers_and_leaves_nothing(suite):
    shutil.copytree(SAMPLE, suite.tests, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))

    code, said = suite.run("-n", "4", "--timeout", "200")

    assert code == 0, said
    assert passed(said) == said.count("\nPASSED "), said
    assert passed(said) >= 18
    assert "skipped" not in said.splitlines()[-1]
    assert suite.left() == []


@pytest.mark.kernel
@pytest.mark.engines
def test_a_failure_is_the_explanation_with_what_mends_it(suite):
    suite.write(
        "test_it.py",
        """
        def test_open(atoll, cache, instance):
            store = cache("memcached")
            atoll.assert_reachable(instance(groups=[other(atoll)]), store)

        def test_shut(atoll, cache, instance):
            atoll.assert_blocked(instance(), cache("memcached"))

        def test_by_another(atoll, cache, instance):
            atoll.assert_blocked("198.51.100.27", cache("memcached"), by="sg-0123")

        def test_rules_say_yes_and_nobody_listens(atoll, instance, vpc):
            web, app = instance("web"), instance("app")
            atoll.client("ec2").authorize_security_group_ingress(
                GroupId=vpc.app_group, IpProtocol="tcp", FromPort=8080, ToPort=8080, CidrIp=vpc.cidr)
            atoll.assert_reachable(web, app, 8080)

        def other(atoll):
            made = atoll.client("ec2").create_security_group(GroupName="x", Description="x", VpcId=atoll.vpc.id)
            return made["GroupId"]
        """,
    )

    code, said = suite.run()

    assert code == 1
    reasons = dict(re.findall(r"^_+ (\w+) _+$(.*?)(?=^_+ \w+ _+$|^=+)", said, re.S | re.M))
    assert "no rule of sg-" in reasons["test_open"]
    assert "aws ec2 authorize-security-group-ingress --group-id sg-" in reasons["test_open"]
    assert "reaches memcached, which was to be blocked" in reasons["test_shut"]
    assert "sg-0123 does not keep 198.51.100.27 from memcached; this does:" in reasons["test_by_another"]
    assert "is a private address: nobody reaches it from the internet" in reasons["test_by_another"]
    assert "8080" in reasons["test_rules_say_yes_and_nobody_listens"]
    assert "atoll/testing/checks.py" not in said, "a failure points at the test, not at us"


@pytest.mark.parametrize("mode", ["paper", pytest.param("real", marks=pytest.mark.kernel)])
@pytest.mark.parametrize("end", ["ctrl-c", "kill"])
def test_no_end_of_pytest_leaves_anything(suite, mode, end):
    suite.write(
        "test_it.py",
        """
        import time
        def test_it(atoll, vpc, instance):
            instance(wait=False)
            open("begun", "w").close()
            time.sleep(600)
        """,
    )
    process = suite.start("--atoll-mode", mode)
    try:
        until((suite.tests / "begun").exists, "the test")
        assert suite.daemons()
        os.kill(process.pid, signal.SIGINT if end == "ctrl-c" else signal.SIGKILL)
        process.communicate(timeout=60)
    finally:
        process.kill()

    until(lambda: not suite.left(), f"the end of {suite.left()}", 60)


@pytest.mark.kernel
def test_what_a_killed_worker_had_is_gone_and_the_others_go_on(suite):
    suite.write(
        "test_it.py",
        """
        import os, pytest
        @pytest.mark.parametrize("n", range(4))
        def test_it(atoll, vpc, n):
            if n == 1:
                os.kill(os.getpid(), 9)
        """,
    )

    code, said = suite.run("-n", "2")

    assert code == 1
    assert passed(said) == 3, said
    until(lambda: not suite.left(), f"the end of {suite.left()}", 60)


@pytest.mark.kernel
def test_what_a_pytest_and_its_daemon_left_when_both_were_killed_the_next_one_removes(suite):
    suite.write(
        "test_it.py",
        """
        import os, signal
        def test_it(atoll, vpc):
            if os.environ.get("END"):
                os.kill(atoll.daemon._process.pid, signal.SIGKILL)
                os.kill(os.getpid(), signal.SIGKILL)
        """,
    )
    suite.environment["END"] = "yes"
    assert suite.run()[0] == -signal.SIGKILL
    until(lambda: not suite.daemons(), "the keeper's end")
    assert suite.left(), "files of a state that nobody could remove"

    del suite.environment["END"]
    code, said = suite.run()

    assert code == 0, said
    assert suite.left() == []


def test_a_suite_without_fixtures_of_ours_loads_nothing_of_ours(suite):
    suite.write(
        "test_it.py",
        """
        import sys
        def test_it(cache, request):
            assert cache.get("a/b", 7) == 7  # pytest's own
            assert "atoll.testing.world" not in sys.modules
        """,
    )

    code, said = suite.run("-p", "cacheprovider")

    assert code == 0, said


@pytest.mark.parametrize(
    ("text", "because"),
    [
        ("[pytest]\natoll_mode = imaginary\n", "atoll_mode is 'imaginary': give one of real, paper"),
        ("[pytest]\natoll_inside = mongodb\n", "atoll_inside is 'mongodb': give one of valkey, redis, memcached"),
    ],
)
def test_an_option_that_means_nothing_is_refused_at_once(suite, text, because):
    suite.write("pytest.ini", text)
    suite.write("test_it.py", "def test_it(): pass\n")

    code, said = suite.run()

    assert code == 4
    assert because in said


def test_options_that_do_not_fit_are_refused_by_name(suite):
    suite.write("pytest.ini", "[pytest]\natoll_mode = paper\n")
    suite.write(
        "test_it.py",
        """
        import pytest, atoll as api
        @pytest.mark.parametrize(("make", "because"), [
            (lambda w: w.cache("mongodb"), "'mongodb' is not an engine"),
            (lambda w: w.cache("memcached", replicas=1), "Memcached has no replicas"),
            (lambda w: w.cache(shards=0), "0 shards"),
            (lambda w: w.new_vpc("10.0.0.0/33"), "is not a valid netmask"),
            (lambda w: w.new_vpc("10.0.0.0/26"), "has no room"),
            (lambda w: w.new_vpc(zones=9), "zones is 9"),
            (lambda w: w.client("ec2", account="me"), "'me' is not an account"),
            (lambda w: w.cache("memcached").failover(), "no replicas that could take over"),
            (lambda w: w.cache(replicas=1).failover("kill"), "nothing runs on paper"),
            (lambda w: w.cache(replicas=1).failover("fire"), "'fire' is not a fault"),
            (lambda w: w.assert_reachable("nobody", "10.0.0.1:1"), "nobody"),
            (lambda w: w.assert_reachable(w.instance(), w.instance()), "port"),
        ])
        def test_it(atoll, make, because):
            with pytest.raises(api.AtollError, match=because):
                make(atoll)
        """,
    )

    code, said = suite.run()

    assert code == 0, said


def test_without_pytest_the_same_world_is_a_with_statement(suite):
    program = """
        import os, atoll
        with atoll.world("paper") as world:
            assert os.environ["AWS_ENDPOINT_URL"] == world.endpoint
            store, app = world.cache(replicas=1), world.instance()
            assert world.why(app, store).reachable
            assert not world.why("198.51.100.27", store).reachable
            with atoll.world("paper") as other:
                assert other.client("ec2").describe_instances()["Reservations"] == []
        assert "AWS_ENDPOINT_URL" not in os.environ
        with atoll.world("paper") as world:
            assert world.client("elasticache").describe_replication_groups()["ReplicationGroups"] == []
        print("well")
    """
    suite.write("it.py", program)

    done = subprocess.run(
        [sys.executable, "it.py"], cwd=suite.tests, env=suite.environment, capture_output=True, text=True, timeout=60
    )

    assert (done.stdout, done.returncode) == ("well\n", 0), done.stderr
    assert suite.left() == []
