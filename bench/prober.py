"""Connects until something answers, and says when.  Runs in a network of Atoll, as a process of its own.

It reads lines "ADDRESS PORT QUESTION ANSWER" and prints the monotonic clock, which all processes share, at the first
answer that begins so.  A packet that is dropped costs one attempt: it never waits for TCP's own retransmission.
"""

import select
import socket
import sys
import time

ATTEMPT_SECONDS = 0.002
ALL_SECONDS = 10.0


def main() -> None:
    print("ready", flush=True)
    for line in sys.stdin:
        address, port, question, answer = line.split()
        end = time.monotonic() + ALL_SECONDS
        while not _answers(address, int(port), question.encode() + b"\r\n", answer.encode()):
            if time.monotonic() > end:
                sys.exit(f"{address}:{port} did not answer within {ALL_SECONDS:.0f} s")
        print(time.monotonic(), flush=True)


def _answers(address: str, port: int, question: bytes, answer: bytes) -> bool:
    with socket.socket() as sock:
        sock.setblocking(False)
        sock.connect_ex((address, port))
        if not select.select((), (sock,), (), ATTEMPT_SECONDS)[1]:
            return False
        try:
            sock.sendall(question)
            return bool(select.select((sock,), (), (), 0.05)[0]) and sock.recv(1000).startswith(answer)
        except OSError:  # refused: it does not listen yet
            time.sleep(0.0005)
            return False


main()
