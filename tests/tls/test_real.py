"""TLS with real engines: clients that look at the certificate, and clients that speak plainly."""

import pytest

pytestmark = [pytest.mark.kernel, pytest.mark.engines]

CLIENT = """
import sys, {library} as library
client = library.{kind}(host=sys.argv[1], ssl={tls}, socket_timeout=3, decode_responses=True)
try:
    print(client.ping(), client.set("k", "v"), client.get("k"))
except library.exceptions.ConnectionError as error:
    print("REFUSED", error)
"""


def client(library: str = "redis", *, tls: bool = True) -> str:
    return CLIENT.format(library=library, kind=library.capitalize(), tls=tls)


@pytest.mark.parametrize("engine", ["valkey", "redis"])
def test_clients_that_look_at_the_certificate_are_served_and_plain_ones_are_not(vault, engine):
    name = f"kept-{engine}"

    vault.group(name, engine, 2, TransitEncryptionEnabled=True, AutomaticFailoverEnabled=True)

    primary = vault.endpoint(name)
    assert primary.startswith(f"master.{name}.")
    assert vault.endpoint(name, "ReaderEndpoint").startswith(f"replica.{name}.")
    assert vault.described(name)["TransitEncryptionMode"] == "required"
    assert vault.cli(primary, "SET", "a", "1") == "OK"
    assert vault.cli(vault.endpoint(name, "ReaderEndpoint"), "GET", "a") == "1"
    assert vault.cli(primary, "PING", tls=False) != "PONG"
    assert vault.python(client("redis"), primary) == vault.python(client("valkey"), primary) == "True True v"
    assert vault.python(client(tls=False), primary).startswith("REFUSED")
    member = vault.described(name)["NodeGroups"][0]["NodeGroupMembers"][1]["ReadEndpoint"]["Address"]
    assert member.startswith(f"{name}-002.{name}.")
    assert vault.cli(member, "GET", "a") == "1"


CLUSTER = """
import sys, {library}.cluster as library
client = library.{kind}Cluster(host=sys.argv[1], ssl=True, socket_timeout=5, decode_responses=True)
for n in range(60):
    client.set(f"k{{n}}", n)
print(sum(int(client.get(f"k{{n}}")) for n in range(60)), *sorted(client.nodes_manager.nodes_cache))
"""


@pytest.mark.parametrize("engine", ["valkey", "redis"])
def test_in_cluster_mode_nodes_have_names_that_certificates_have(vault, engine):
    name = f"slots-{engine}"
    vault.group(
        name,
        engine,
        None,
        NumNodeGroups=2,
        ReplicasPerNodeGroup=1,
        TransitEncryptionEnabled=True,
        AutomaticFailoverEnabled=True,
    )

    configuration = vault.described(name)["ConfigurationEndpoint"]["Address"]

    assert configuration.startswith(f"clustercfg.{name}.")
    zone = configuration.removeprefix("clustercfg.")
    found = vault.python(CLUSTER.format(library="redis", kind="Redis"), configuration).split()
    members = [f"{name}-{shard}-{node}.{zone}:6379" for shard in ("0001", "0002") for node in ("001", "002")]
    assert found == [str(sum(range(60))), *members]
    assert vault.cli(configuration, "PING", tls=False) != "PONG"
