"""The pages of caches over HTTP, on paper: what they show, and the calls that their forms make."""

import pytest

from tests.daemon.atoll import until

NODE = {"CacheNodeType": "cache.t3.micro"}
SECRET = "correct-horse-battery"
TABS = ("", "/nodes", "/metrics", "/connect", "/network", "/backups", "/parameters", "/logs", "/events", "/tags")
OTHERS = ("/modify", "/delete", "/failover")
CACHES = ("group/sessions", "group/carts", "cluster/pages", "cluster/one", "serverless/burst")


@pytest.fixture(scope="module", autouse=True)
def cache(atoll):
    """An ElastiCache client, and one cache of each kind."""
    client = atoll.client("elasticache")
    for name, more in (
        ("sessions", {"NumCacheClusters": 3}),
        ("carts", {"NumNodeGroups": 2, "ReplicasPerNodeGroup": 1, "TransitEncryptionEnabled": True}),
    ):
        client.create_replication_group(
            ReplicationGroupId=name, ReplicationGroupDescription="<b>bold</b>", Engine="valkey",
            AutomaticFailoverEnabled=True, **NODE, **more,
        )  # fmt: skip
    client.create_cache_cluster(CacheClusterId="pages", Engine="memcached", NumCacheNodes=2, **NODE)
    client.create_cache_cluster(CacheClusterId="one", Engine="redis", NumCacheNodes=1, **NODE)
    client.create_serverless_cache(ServerlessCacheName="burst", Engine="valkey")
    until(lambda: client.describe_serverless_caches()["ServerlessCaches"][0]["Status"] == "available", 30)
    until(
        lambda: all(g["Status"] == "available" for g in client.describe_replication_groups()["ReplicationGroups"]), 30
    )
    until(lambda: all(c["CacheClusterStatus"] == "available" for c in client.describe_cache_clusters()["CacheClusters"]), 30)  # fmt: skip  # noqa: E501
    return client


def group(cache, name):
    return cache.describe_replication_groups(ReplicationGroupId=name)["ReplicationGroups"][0]


def cluster(cache, name):
    return cache.describe_cache_clusters(CacheClusterId=name, ShowCacheNodeInfo=True)["CacheClusters"][0]


def test_the_list_shows_every_kind_and_filters_by_engine(visitor):
    page = visitor.get("/cache/caches")

    assert [row[0] for row in page.rows("Caches")] == ["burst", "carts", "one", "pages", "sessions"]
    assert [row[0] for row in visitor.get("/cache/caches", engine="memcached").rows("Caches")] == ["pages"]
    assert [row[0] for row in visitor.get("/cache/caches", q="cluster mode enabled").rows("Caches")] == ["carts"]
    assert "describe-serverless-caches" in page.commands()


@pytest.mark.parametrize("name", CACHES)
def test_every_page_of_a_cache_is_there_and_escapes(visitor, name):
    main = visitor.get(f"/cache/caches/{name}")
    for link in main.tree.one("nav", **{"aria-label": "Parts of this page"}).all("a"):
        page = visitor.ask("GET", link.attributes["href"])
        assert (page.status, page.title) == (200, name.partition("/")[2]), link.text
        assert "<b>bold" not in page.html
    for path in OTHERS[:2] if not name.startswith("group") else OTHERS:
        assert visitor.get(f"/cache/caches/{name}{path}").status == 200


def test_a_cache_that_is_not_there_is_said_to_be_missing(visitor):
    page = visitor.get("/cache/caches/group/nobody/nodes")

    assert page.status == 404
    assert "ReplicationGroupNotFoundFault" in page.alert()


def test_the_flow_makes_what_it_says(visitor, cache):
    chosen = {"name": "orders", "mode": "sharded", "shards": "2", "replicas": "1", "tags": "team=shop"}
    page = visitor.get("/cache/create", step="review", **chosen)
    preview = page.main.one("aside")
    assert "--num-node-groups 2" in preview.text
    assert "orders-0002-002" in preview.text
    fields = [(i.attributes["name"], i.attributes["value"]) for i in page.main.one("form", id="make").all("input")]
    assert not any(
        g["ReplicationGroupId"] == "orders" for g in cache.describe_replication_groups()["ReplicationGroups"]
    )

    done = visitor.post("/cache/create", [pair for pair in fields if pair[0] != "token"])

    assert done.title == "orders"
    made = group(cache, "orders")
    assert (made["ClusterMode"], len(made["MemberClusters"])) == ("enabled", 4)
    assert cache.list_tags_for_resource(ResourceName=made["ARN"])["TagList"] == [{"Key": "team", "Value": "shop"}]
    waiter = cache.get_waiter("replication_group_available")
    waiter.wait(ReplicationGroupId="orders", WaiterConfig={"Delay": 0.1, "MaxAttempts": 300})
    cache.delete_replication_group(ReplicationGroupId="orders")


def test_the_flow_loses_nothing_on_the_way_back(visitor):
    page = visitor.get("/cache/create", go="security", name="orders", engine="redis", replicas="4", tls="yes")
    hidden = {i.attributes["name"]: i.attributes["value"] for i in page.main.one("form", id="flow").all("input")}

    assert (hidden["name"], hidden["engine"], hidden["replicas"]) == ("orders", "redis", "4")
    back = visitor.get("/cache/create", go="size", **{k: v for k, v in hidden.items() if k not in ("step", "go")})
    assert back.main.one("input", name="replicas").attributes["value"] == "4"


def test_the_flow_says_at_once_what_the_api_would_refuse(visitor):
    page = visitor.get("/cache/create", name="orders", kind="nodes", engine="memcached", nodes="99")

    assert "99" in page.main.one("aside").text
    assert page.main.one("aside").all("div", **{"class": "note bad"})


def test_a_refused_creation_keeps_what_was_chosen(visitor):
    page = visitor.post("/cache/create", {"step": "review", "name": "sessions", "replicas": "2"})

    assert "ReplicationGroupAlreadyExists" in page.alert()
    assert ("replicas", "2") in [
        (i.attributes["name"], i.attributes["value"]) for i in page.main.one("form", id="make").all("input")
    ]


@pytest.mark.parametrize(
    ("engine", "more", "action"),
    [
        ("memcached", {"nodes": "3"}, "create-cache-cluster"),
        ("valkey", {"kind": "serverless", "data_max": "2"}, "create-serverless-cache"),
        ("redis", {"tls": "yes", "access": "token"}, "create-replication-group"),
    ],
)
def test_each_kind_has_its_call(visitor, engine, more, action):
    aside = visitor.get("/cache/create", step="review", engine=engine, name="new", **more).main.one("aside")

    assert f"aws elasticache {action}" in aside.text
    assert not aside.all("div", **{"class": "note bad"})


def test_replicas_and_shards_are_changed_on_the_page(visitor, cache):
    at = "/cache/caches/group/sessions/nodes"
    visitor.post(f"{at}/count", {"count": "3"})
    assert len(group(cache, "sessions")["MemberClusters"]) == 4
    until(lambda: group(cache, "sessions")["Status"] == "available", 30)

    page = visitor.post("/cache/caches/group/carts/nodes/shards", {"shards": "3", "preview": "1"})

    assert "--node-group-count 3" in page.commands()
    assert len(group(cache, "carts")["NodeGroups"]) == 2, "a preview changes nothing"


def test_a_node_of_memcached_is_removed_by_its_button(visitor, cache):
    page = visitor.post("/cache/caches/cluster/pages/nodes/remove", {"cluster": "pages", "node": "0002"})

    assert "0002" in page.main.text
    until(lambda: cluster(cache, "pages")["NumCacheNodes"] == 1, 30)


def test_a_token_is_rotated_and_never_shown(visitor):
    page = visitor.post(
        "/cache/caches/group/carts/network/token", {"strategy": "ROTATE", "auth_token": SECRET}, follow=False
    )

    assert page.status == 303
    shown = visitor.ask("GET", page.headers["location"])
    assert SECRET not in shown.html
    assert "modify-replication-group" in shown.commands()


def test_a_refused_user_is_not_shown_with_the_password(visitor):
    fields = {"id": "x", "engine": "valkey", "access": "on ~* +nosuch", "mode": "password", "password": SECRET}

    page = visitor.post("/cache/users/create", fields)

    assert page.alert()
    assert SECRET not in page.html
    assert page.main.one("input", name="access").attributes["value"] == "on ~* +nosuch"


def test_users_and_groups_are_made_and_changed(visitor, cache):
    fields = {"id": "app", "engine": "valkey", "access": "on ~app:* +@read", "mode": "password", "password": SECRET}
    visitor.post("/cache/users/create", fields)
    visitor.post("/cache/user-groups/create", {"id": "team", "engine": "valkey", "users": "app"})
    assert cache.describe_user_groups()["UserGroups"][0]["UserIds"] == ["app"]

    visitor.post("/cache/users/app/modify", {"access": "on ~* +@all", "mode": "password"})

    user = next(u for u in cache.describe_users()["Users"] if u["UserId"] == "app")
    assert "+@all" in user["AccessString"]
    assert user["Authentication"]["PasswordCount"] == 1, "no new password: the old one stays"


def test_only_what_was_changed_of_a_parameter_group_is_set(visitor, cache):
    family = cache.describe_cache_engine_versions(Engine="valkey")["CacheEngineVersions"][0]
    family = family["CacheParameterGroupFamily"]
    visitor.post("/cache/parameter-groups/create", {"name": "mine", "family": family})
    page = visitor.get("/cache/parameter-groups/mine", rows="200")
    fields = {
        e.attributes["name"]: e.attributes.get("value", "")
        for e in page.main.all("input")
        if e.attributes["name"].startswith("p.")
    }
    fields |= {
        e.attributes["name"]: next((o.text for o in e.all("option") if "selected" in o.attributes), "")
        for e in page.main.all("select")
        if e.attributes.get("name", "").startswith("p.")
    }

    done = visitor.post("/cache/parameter-groups/mine/modify", fields | {"p.timeout": "20"})

    assert "Changed: timeout" in done.main.text
    refused = visitor.post("/cache/parameter-groups/mine/modify", {"p.maxmemory-policy": "nonsense"})
    assert "maxmemory-policy" in refused.alert()
    set_by_us = cache.describe_cache_parameters(CacheParameterGroupName="mine", Source="user")["Parameters"]
    assert [(p["ParameterName"], p["ParameterValue"]) for p in set_by_us] == [("timeout", "20")]
    visitor.post("/cache/parameter-groups/mine/reset", {"parameter": "timeout"})
    assert not cache.describe_cache_parameters(CacheParameterGroupName="mine", Source="user")["Parameters"]


def test_connecting_from_the_internet_is_told_to_fail_and_why(visitor):
    page = visitor.get("/cache/caches/group/sessions/connect", **{"client": "redis-py", "from": "198.51.100.27"})

    assert "is a private address" in page.main.text
    assert "from redis import Redis" in page.main.text
    assert "atoll why 198.51.100.27 sessions." in page.commands()


def test_on_paper_nothing_can_fail_and_the_page_says_so(visitor):
    assert "nothing runs" in visitor.get("/cache/caches/group/sessions/failover").main.text
    page = visitor.post("/cache/caches/group/sessions/failover/start", {"fault": "kill", "source": "nobody"})
    assert "nothing runs" in page.alert()


def test_tags_hold_markup_as_text(visitor):
    visitor.post("/cache/caches/cluster/one/tags/add", {"key": "<i>k", "value": "<script>"})

    page = visitor.get("/cache/caches/cluster/one/tags")

    assert ["<i>k", "<script>"] in [row[:2] for row in page.rows("Tags")]
    assert "<script>" not in page.html.replace("<script defer", "")


def test_a_cache_is_deleted_after_a_question(visitor, cache):
    visitor.post("/cache/caches/cluster/one/delete", {})

    until(lambda: "one" not in [c["CacheClusterId"] for c in cache.describe_cache_clusters()["CacheClusters"]], 30)


def test_a_region_is_added_to_a_global_datastore_with_as_many_nodes_as_its_form_says(visitor, cache):
    for name, more in (("near", {"NumCacheClusters": 2}), ("wide", {"NumNodeGroups": 2, "ReplicasPerNodeGroup": 1})):
        cache.create_replication_group(
            ReplicationGroupId=name, ReplicationGroupDescription="x", Engine="valkey", AutomaticFailoverEnabled=True,
            CacheNodeType="cache.m5.large", **more,
        )  # fmt: skip
        until(lambda n=name: group(cache, n)["Status"] == "available", 30)
        made = cache.create_global_replication_group(
            GlobalReplicationGroupIdSuffix=name, PrimaryReplicationGroupId=name
        )["GlobalReplicationGroup"]["GlobalReplicationGroupId"]
        page = visitor.get(f"/cache/global/{made}")
        field, says = ("count", "--num-cache-clusters")
        if name == "wide":
            field, says = ("replicas", "--replicas-per-node-group")
        assert f'name="{field}"' in page.html
        assert (f"{made}-0002" in page.html) == (name == "wide"), "its node groups"

        page = visitor.post(f"/cache/global/{made}/join", {"group": "far", field: "2", "preview": "1"})

        assert f"{says} 2" in page.commands()
        if name == "wide":
            for fields, said in (
                ({"shards": "3"}, "increase-node-groups-in-global-replication-group"),
                ({"remove": f"{made}-0002"}, f"--global-node-groups-to-remove {made}-0002"),
                ({"shards": "2"}, "rebalance-slots-in-global-replication-group"),
            ):
                page = visitor.post(f"/cache/global/{made}/shards", {**fields, "preview": "1"})
                assert said in page.commands()
