"""Users on real engines: in the configuration that a node starts with, and told to one that runs.

Both client libraries log in; what a user may not do is refused by the engine itself.
"""

import asyncio

import pytest
import redis
import valkey

from atoll.cache.acl import ADMINISTRATOR
from atoll.cache.plan import nodes
from atoll.host.engine.admission import admit
from atoll.host.engine.resp import Connection
from atoll.model.access import Access, User, UserGroup
from atoll.model.cache import ReplicationGroup
from atoll.model.digest import Digest
from tests.cache import test_real_engines as real_engines
from tests.cache.test_real_engines import (
    DENIED,
    LOOPBACK,
    ONCE,
    PASSWORD,
    UNKNOWN,
    Node,
    directory,
    free_port,
    server,
    start,
    until,
)
from tests.cache.worlds import ACCOUNT, REGION, Life, cluster, group, interface, node

__all__ = ["directory", "server", "start"]

pytestmark = pytest.mark.engines

GROUP = f"{ACCOUNT}/{REGION}/rg"
SECRET, OTHER = "correct-horse-battery", "another-horse-battery"


def user(id, *, name=None, access="on ~* +@all", passwords=(SECRET,), **more):
    values = {"engine": "redis", "status": "active", "authentication": "password" if passwords else "no-password"}
    return User(
        id=f"{ACCOUNT}/{REGION}/{id}", account=ACCOUNT, region=REGION, user_id=id, name=name or id, access=access,
        passwords=tuple(Digest.of(password) for password in passwords), **(values | more),
    )  # fmt: skip


class Cache:
    """A replication group of real nodes, whose users are its user group's."""

    def __init__(self, server, directory, start, *users, members=1):
        engine, version, self.program = server
        self.life, self.directory, self.start = Life(), directory, start
        clusters = [
            cluster(f"rg-{n:03d}", node(f"eni-{n}"), engine=engine, version=version, port=free_port(), group_id=GROUP)
            for n in range(1, members + 1)
        ]
        self.life.put(
            *(interface(f"eni-{n}", str(LOOPBACK)) for n in range(1, members + 1)), *clusters,
            group("rg", *clusters, access=Access(is_used=True, user_group_id=f"{ACCOUNT}/{REGION}/team")),
        )  # fmt: skip
        self.users(*users)
        self.nodes = [Node(plan, directory, self.program, start) for plan in self.plans()]
        for each in self.nodes:
            each.ready()

    def users(self, *users, default=False):
        ids = tuple(each.user_id for each in users) + (("default",) if default else ())
        team = UserGroup(
            id=f"{ACCOUNT}/{REGION}/team", account=ACCOUNT, region=REGION, name="team", engine="redis",
            status="active", user_ids=ids,
        )  # fmt: skip
        self.life.put(team, *users)

    def plans(self):
        return nodes(self.life.world)

    def tell(self, *cut):
        """Tell the running nodes who their users are now."""

        async def tell():
            for plan, each in zip(self.plans(), self.nodes, strict=True):
                async with Connection(each.socket, ADMINISTRATOR, PASSWORD) as engine:
                    await admit(engine, plan, cut)

        asyncio.run(tell())

    def client(self, name=None, password=None, *, library=redis, at=0, **more):
        plan = self.nodes[at].plan
        retry = {"retry": ONCE} if library is redis else {}
        return library.Redis(
            str(plan.address), plan.port, username=name, password=password, protocol=2, decode_responses=True,
            **retry, **more,
        )  # fmt: skip


@pytest.fixture
def cache(server, directory, start):
    """A node with two users; whoever gives no name does not come in."""
    return Cache(server, directory, start, user("app", access="on ~app:* +@read +@connection"), user("all"))


@pytest.mark.parametrize("library", [redis, valkey], ids=["redis-py", "valkey-py"])
def test_a_node_starts_with_its_users(cache, library):
    full, app = (cache.client(name, SECRET, library=library) for name in ("all", "app"))

    assert full.set("app:k", "v")
    assert app.get("app:k") == "v"
    assert full.execute_command("ACL", "WHOAMI") == "all"
    with pytest.raises(library.exceptions.NoPermissionError):
        app.set("app:k", "other")
    with pytest.raises(library.exceptions.NoPermissionError):
        app.get("other")
    with pytest.raises(library.exceptions.AuthenticationError):
        cache.client("app", OTHER, library=library).ping()
    with pytest.raises(library.exceptions.AuthenticationError):
        cache.client(library=library).ping()


def test_a_running_node_obeys_at_once_and_nobody_is_cut_by_a_change_of_rules(cache):
    app = cache.client("app", SECRET, single_connection_client=True)
    app.ping()

    cache.users(user("app", access="on ~app:* +@write +@connection", passwords=(OTHER, SECRET)), user("all"))
    cache.tell()

    assert app.set("app:k", "v"), "the same connection"
    with pytest.raises(redis.exceptions.NoPermissionError):
        app.get("app:k")
    assert cache.client("app", OTHER).set("app:k", "v")
    assert cache.client("app", SECRET).set("app:k", "v")


def test_who_leaves_the_group_is_cut(cache):
    app, full = (cache.client(name, SECRET, single_connection_client=True) for name in ("app", "all"))
    app.ping(), full.ping()

    cache.users(user("all"))
    cache.tell()

    with pytest.raises(redis.exceptions.ConnectionError):
        app.ping()
    assert full.ping()
    with pytest.raises(redis.exceptions.AuthenticationError):
        cache.client("app", SECRET).ping()
    assert "app" not in full.execute_command("ACL", "USERS")


def test_a_default_user_that_is_another_cuts_those_of_the_former_one(cache):
    cache.users(user("all"), default=True)
    cache.tell()
    anybody = cache.client(single_connection_client=True)
    anybody.ping()

    cache.users(user("all"), user("mine", name="default", passwords=(OTHER,)))
    cache.tell("default")

    with pytest.raises(redis.exceptions.ConnectionError):
        anybody.ping()
    with pytest.raises(redis.exceptions.AuthenticationError):
        cache.client().ping()
    assert cache.client(None, OTHER).ping()


def test_replicas_come_in_whoever_else_does_not(server, directory, start):
    cache = Cache(server, directory, start, user("all"), members=3)
    primary = cache.client("all", SECRET)

    until(lambda: primary.info("replication")["connected_slaves"] == 2, cache.nodes[0].log)
    primary.set("k", "v")

    assert primary.wait(2, 5000) == 2
    assert cache.client("all", SECRET, at=2).get("k") == "v"


def test_a_token_and_the_one_before_open_the_door(server, directory, start):
    cache = Cache(server, directory, start)
    held = cache.life.world[ReplicationGroup, GROUP]
    tokens = Digest.of(SECRET), Digest.of(OTHER)
    cache.life.put(held.but(access=Access(is_used=True, tokens=tokens)))
    cache.tell()

    for token in (SECRET, OTHER):
        assert cache.client(None, token).set("k", token)
    with pytest.raises(redis.exceptions.AuthenticationError):
        cache.client().ping()

    cache.life.put(held.but(access=Access(is_used=True, tokens=tokens[1:], is_open=True)))
    cache.tell()
    assert cache.client().ping(), "ROTATE on an open group asks nobody yet"


@pytest.mark.parametrize("clustered", [False, True], ids=["disabled", "enabled"])
def test_no_user_may_administer_a_node_in_either_cluster_mode(server, directory, start, clustered, monkeypatch):
    if clustered:
        more = f"cluster-enabled yes\ncluster-port {free_port()}\n"
        plain = real_engines.server_text
        monkeypatch.setattr(real_engines, "server_text", lambda *a, **k: plain(*a, **k) + more)
    cache = Cache(
        server,
        directory,
        start,
        user("all", access="on ~* &* +@all"),
        user("bad", access="on ~* +@admin +@dangerous"),
    )
    for name in ("all", "bad"):
        client = cache.client(name, SECRET)
        for command in (*DENIED, *UNKNOWN):
            with pytest.raises(redis.ResponseError, match=r"permission|unknown command"):
                client.execute_command(*command.split())
    assert cache.nodes[0].admin.config_get("maxmemory")
    assert cache.client("all", SECRET).execute_command("CLUSTER", "MYID") if clustered else True


def test_a_selector_opens_no_more(server, directory, start):
    if server[1] < "7":
        pytest.skip("selectors came with 7.0")
    cache = Cache(server, directory, start, user("app", access="on ~a:* +@read (~b:* +@all)"))
    client = cache.client("app", SECRET)

    assert client.set("b:k", "v")
    with pytest.raises(redis.exceptions.NoPermissionError):
        client.set("a:k", "v")
    with pytest.raises(redis.ResponseError, match=r"permission|unknown command"):
        client.execute_command("CONFIG", "GET", "*")
    with pytest.raises(redis.ResponseError, match="permission"):
        client.execute_command("ACL", "SETUSER", "x")
