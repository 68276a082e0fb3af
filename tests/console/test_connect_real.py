"""The code that a cache's page offers does what it says: each runs in an instance's network, against real caches."""

import shutil
import subprocess
import sys

import pytest

from atoll.console.caches.connect import CLIENTS, code
from atoll.console.caches.connect_target import Target
from tests.clients.conftest import NODE, PYTHON, install
from tests.daemon.atoll import own_mode, running, until
from tests.tls.conftest import Vault

pytestmark = [pytest.mark.kernel, pytest.mark.engines, pytest.mark.timeout(300)]  # five groups start at once

PASSWORD, USER = "correct-horse-battery", "app"
TYPED_SECONDS = 0.3  # between two lines that are typed: nobody sees a prompt of telnet
CASES = {
    "plain": {"NumCacheClusters": 2},
    "token": {"NumCacheClusters": 1, "TransitEncryptionEnabled": True, "AuthToken": PASSWORD},
    "users": {"NumCacheClusters": 1, "TransitEncryptionEnabled": True, "UserGroupIds": ["team"]},
    "shards": {"NumNodeGroups": 2, "AutomaticFailoverEnabled": True, "ReplicasPerNodeGroup": 1},
    "shards-tls": {
        "NumNodeGroups": 2, "AutomaticFailoverEnabled": True, "ReplicasPerNodeGroup": 1,
        "TransitEncryptionEnabled": True, "AuthToken": PASSWORD,
    },
}  # fmt: skip
SERVER_CLIENTS = [c for c in CLIENTS if c.family == "server" and c.id not in ("valkey-cli", "telnet")]
RUN = {"shell": ["bash", "-s"], "python": [str(PYTHON), "-"], "javascript": ["node", "-"], "php": ["php"]}


@pytest.fixture(scope="module")
def vault():
    with running(own_mode()) as atoll:
        vault = Vault(atoll)
        vault.needs("valkey")
        user = {"Engine": "valkey", "AccessString": "on ~* +@all", "Passwords": [PASSWORD]}
        vault.cache.create_user(UserId=USER, UserName=USER, **user)
        vault.cache.create_user_group(UserGroupId="team", Engine="valkey", UserIds=[USER])
        yield vault


@pytest.fixture(scope="module")
def caches(vault):
    """What each case's clients must know; all caches start at once."""
    install()
    team = {"UserGroupId": "team"}
    found = vault.cache.describe_user_groups
    until(lambda: found(**team)["UserGroups"][0]["Status"] == "active", 30, "the user group")
    for name, asked in CASES.items():
        vault.cache.create_replication_group(
            ReplicationGroupId=name, ReplicationGroupDescription="x", Engine="valkey",
            CacheNodeType="cache.t3.micro", **asked,
        )  # fmt: skip
    return {name: _target(vault, name, asked) for name, asked in CASES.items()}


def _target(vault, name, asked):
    vault.available(name, 60)
    group = vault.described(name)
    place = group.get("ConfigurationEndpoint") or group["NodeGroups"][0]["PrimaryEndpoint"]
    auth = "token" if "AuthToken" in asked else "user" if "UserGroupIds" in asked else "none"
    return Target(
        engine="valkey", host=place["Address"], port=place["Port"], tls="TransitEncryptionEnabled" in asked,
        auth=auth, user=USER, is_cluster="NumNodeGroups" in asked,
    )  # fmt: skip


def ran(vault, language, text):
    """Return what a text prints that runs in the instance's network."""
    program = RUN[language]
    if not shutil.which(program[0]) or (language == "javascript" and not NODE.exists()):
        pytest.skip(f"NOT TESTED: no {program[0]} with its libraries on this machine")
    environment = vault.atoll.environment | {"CACHE_PASSWORD": PASSWORD, "NODE_PATH": f"{NODE}/node_modules"}
    command = [sys.executable, "-m", "atoll.cli", "run", "--in", vault.instance, "--", *program]
    done = subprocess.run(command, input=text, capture_output=True, text=True, timeout=60, env=environment)
    assert done.returncode == 0, f"{text}\n{done.stdout}{done.stderr}"
    return done.stdout


@pytest.mark.parametrize("client", SERVER_CLIENTS, ids=lambda c: c.id)
@pytest.mark.parametrize("case", CASES)
def test_the_text_of_a_client_runs(vault, caches, case, client):
    said = ran(vault, client.language, code(client.id, caches[case]).text)

    assert said.split()[-1] == "hello", said


@pytest.mark.parametrize("case", ["plain", "token"])
def test_what_is_typed_by_hand_is_answered(vault, caches, case):
    text = code("telnet", caches[case]).text.replace("your-token", PASSWORD)

    assert "+PONG" in ran(vault, "shell", typed(text))


@pytest.mark.usefixtures("caches")
@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
def test_the_texts_for_memcached_run(vault, tls):
    name = f"mem-{'tls' if tls else 'plain'}"
    vault.needs("memcached")
    vault.cache.create_cache_cluster(
        CacheClusterId=name, Engine="memcached", NumCacheNodes=2, CacheNodeType="cache.t3.micro",
        TransitEncryptionEnabled=tls,
    )  # fmt: skip
    found = vault.cluster(name)
    place = found["ConfigurationEndpoint"]
    nodes = tuple((n["Endpoint"]["Address"], n["Endpoint"]["Port"]) for n in found["CacheNodes"])
    target = Target(
        engine="memcached", host=place["Address"], port=place["Port"], tls=tls, nodes=nodes, has_discovery=True
    )

    for client in (c for c in CLIENTS if c.family == "memcached"):
        said = code(client.id, target)
        if said.because:
            continue
        text = typed(said.text) if client.id == "telnet" else said.text
        assert "hello" in ran(vault, client.language, text).split(), client.id


def typed(text):
    """Return the commands that type all lines but the first into the program that the first line starts."""
    first, *rest = text.splitlines()
    lines = "".join(f"echo '{line}'; sleep {TYPED_SECONDS}; " for line in rest)
    return f"(sleep {TYPED_SECONDS}; {lines}) | {first} 2>/dev/null || true"
