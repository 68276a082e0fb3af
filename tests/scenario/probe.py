"""The programs that try one connection from a network, and say what became of it."""

TCP_PROBE = """
import socket, sys
address, port, seconds, say = sys.argv[1], int(sys.argv[2]), float(sys.argv[3]), sys.argv[4]
link = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET)
link.settimeout(seconds)
try:
    link.connect((address, port))
except TimeoutError:
    print("dropped", end="")
except ConnectionRefusedError:
    print("refused", end="")
except OSError as error:
    print("error", error, end="")
else:
    said = b""
    if say:
        link.sendall(say.encode() + b"\\r\\n")
        said = link.recv(65536)
    print("connected", said.decode(errors="replace"), end="")
"""

UDP_PROBE = """
import socket, sys
link = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
link.settimeout(float(sys.argv[3]))
link.connect((sys.argv[1], int(sys.argv[2])))
link.send(b"hello")
try:
    print("answered", link.recv(100))
except TimeoutError:
    print("dropped", end="")
except ConnectionRefusedError:
    print("refused", end="")
"""
