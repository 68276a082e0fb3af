"""What a start need not wait for is not imported by it: docs/performance.md says what each of these costs."""

import subprocess
import sys

LATER = (
    "atoll.admin.routes",
    "atoll.control.flow_logs",
    "botocore.session",
    "cryptography",
    "email",
    "http.client",
    "jinja2",
    "rich",
    "starlette",
    "urllib.request",
    "uvicorn",
)


def imported(statement):
    told = f"import sys; {statement}; print(*(set({LATER!r}) & set(sys.modules)))"
    return subprocess.run([sys.executable, "-c", told], capture_output=True, text=True, check=True).stdout.split()


def test_a_daemon_starts_without_what_only_some_calls_need():
    everything = "import atoll.cli.main, atoll.cli.up, atoll.bringup, atoll.daemon, atoll.host.linux.machine as m"

    assert imported(f"{everything}; [atoll.offer.load(service) for service in atoll.offer.SERVICES]") == []


def test_the_keeper_is_begun_before_the_daemon_is_imported():
    begun = "import atoll.start"

    assert imported(begun) == []
    told = f"import sys; {begun}; print('asyncio' in sys.modules or 'atoll.daemon' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", told], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


def test_the_first_answer_waits_for_no_loop_and_no_host():
    ours = "atoll.daemon", "atoll.control.machines", "atoll.network.compile", "atoll.host.contract"
    behind = "dnslib", "shutil", "tempfile", *ours  # the two bring three compressors
    told = f"import sys, atoll.cli.up, atoll.bringup; print(sorted(set({behind!r}) & set(sys.modules)))"

    done = subprocess.run([sys.executable, "-c", told], capture_output=True, text=True, check=True)

    assert done.stdout == "[]\n"


def test_the_pieces_in_which_a_daemon_is_imported_are_what_it_imports():
    told = "import sys, atoll.bringup as it, atoll.daemon; print(sorted(set(it.PIECES) - set(sys.modules)))"

    done = subprocess.run([sys.executable, "-c", told], capture_output=True, text=True, check=True)

    assert done.stdout == "[]\n"
