"""The code that a cache's page offers: it compiles, has no secret, and quotes whatever a name has."""

import shutil
import subprocess

import pytest

from atoll.console.caches.connect import clients_of, code
from atoll.console.caches.connect_target import Target

HOST = "master.kept.q7io1l.use1.cache.amazonaws.com"
HOSTILE = "o'hara\"; $(reboot) `x` \\"
CHECK = {
    "shell": ["bash", "-n", "-"],
    "javascript": ["node", "--check", "-"],
    "php": ["php", "-l"],
}
SERVERS = [
    Target(engine="valkey", host=HOST, port=6379, tls=tls, auth=auth, user=HOSTILE, is_cluster=is_cluster)
    for tls in (False, True)
    for auth in ("none", "token", "user")
    for is_cluster in (False, True)
]
MEMCACHED = [
    Target(engine="memcached", host=HOST, port=11211, tls=tls, nodes=nodes, has_discovery=has)
    for tls in (False, True)
    for nodes in ((), ((HOST, 11211), (HOST, 11212)))
    for has in (False, True)
]
TEXTS = {
    (client.id, client.language, said.text)
    for target in SERVERS + MEMCACHED
    for client in clients_of(target)
    if (said := code(client.id, target)).text and client.id != "telnet"
}


@pytest.mark.parametrize("language", ["python", "shell", "php"])
def test_every_text_is_correct_in_its_language(language):
    texts = [(id, text) for id, spoken, text in TEXTS if spoken == language]
    assert texts
    for id, text in texts:
        if language == "python":
            compile(text, id, "exec")
            continue
        if not shutil.which(CHECK[language][0]):
            pytest.skip(f"NOT TESTED: no {CHECK[language][0]} on this machine")
        done = subprocess.run(CHECK[language], input=text, capture_output=True, text=True)
        assert done.returncode == 0, f"{text}\n{done.stderr}{done.stdout}"


def test_every_text_for_node_is_correct(tmp_path):
    if not shutil.which("node"):
        pytest.skip("NOT TESTED: no node on this machine")
    texts = [text for _, spoken, text in TEXTS if spoken == "javascript"]
    program = "".join(f"() => {{ {text} }};\n" for text in texts)  # one start of node for all of them
    (tmp_path / "all.js").write_text(program)

    done = subprocess.run(["node", "--check", tmp_path / "all.js"], capture_output=True, text=True)

    assert done.returncode == 0, done.stderr


def test_a_shell_takes_a_hostile_name_for_one_word():
    text = code("redis-cli", Target(engine="redis", host="h", port=1, auth="user", user=HOSTILE, tls=True)).text
    line = next(line for line in text.splitlines() if "SET" in line).replace("redis-cli", "printf '%s|'")

    done = subprocess.run(["bash", "-c", line], capture_output=True, text=True)

    assert f"|--user|{HOSTILE}|" in done.stdout


def test_a_client_without_tls_is_told_to_be_one():
    said = code("php-memcache", Target(engine="memcached", host=HOST, port=11211, tls=True))

    assert (said.text, said.because) == ("", "no_tls")


def test_an_unknown_client_is_the_first_one():
    assert code("none", Target(engine="memcached", host=HOST, port=11211)).client.id == "telnet"
