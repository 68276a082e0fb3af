"""Memcached's own protocol, word for word, through a socket in an instance's network."""

TALK = """
import socket, sys
link = socket.create_connection((sys.argv[1], 11211), 10)
said = link.makefile("rb")
for line in sys.stdin.read().split("|"):
    link.sendall(line.encode().decode("unicode_escape").encode())
    print(said.readline().decode().strip())
"""


def talk(stage, place, text):
    command = ("run", "--in", place.app, "--", stage.python, "-c", TALK, place.memcached[0])
    return stage.atoll.cli(*command, input=text).splitlines()


def test_the_text_protocol_works_to_the_letter(stage, place):
    lines = [
        r"set n 5 0 1\r\n7\r\n",
        r"add n 0 0 1\r\n8\r\n",
        r"incr n 3\r\n",
        r"set quiet 0 0 1 noreply\r\nq\r\nappend quiet 0 0 1\r\nr\r\n",
        r"touch n 60\r\n",
        r"cas n 0 0 1 1\r\n9\r\n",
        r"delete n\r\n",
        r"incr n 1\r\n",
        r"get n\r\n",
        r"verbosity 1\r\n",
        r"nonsense\r\n",
    ]
    assert talk(stage, place, "|".join(lines)) == [
        "STORED",
        "NOT_STORED",
        "10",
        "STORED",
        "TOUCHED",
        "EXISTS",
        "DELETED",
        "NOT_FOUND",
        "END",
        "OK",
        "ERROR",
    ]


def test_a_value_over_one_megabyte_is_refused_and_the_node_goes_on(stage, place):
    script = """
import socket, sys
link = socket.create_connection((sys.argv[1], 11211), 10)
said = link.makefile("rb")
link.sendall(b"set big 0 0 2000000\\r\\n" + bytes(2000000) + b"\\r\\n")
print(said.readline().decode().strip())
link.sendall(b"version\\r\\n")
print(said.readline().decode().split()[0])
"""
    said = stage.atoll.cli("run", "--in", place.app, "--", stage.python, "-c", script, place.memcached[0])
    assert said.splitlines() == ["SERVER_ERROR object too large for cache", "VERSION"]
