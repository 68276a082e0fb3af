"""What a daemon loads when there is time."""

import subprocess
import sys

PROGRAM = """
import asyncio, sys
from atoll import offer
offer.REST_SECONDS = 0.0
offer.offer_services()
assert "atoll.admin.routes" not in sys.modules, "no start waits for it"
asyncio.run(offer.load_rest())
print(*sys.modules)
"""


def test_a_daemon_has_what_commands_need_before_its_package_is_replaced():
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    loaded = done.stdout.split()

    assert {"atoll.admin.routes", "atoll.ec2.vpc", "atoll.elasticache.cluster"} <= set(loaded)
