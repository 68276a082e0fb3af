"""Root in an instance, who waits for somebody from outside: says what he could read of, or do with, such a process.

Prints "watching", then after `argv[1]` seconds one line for each thing that he got hold of.
"""

import os
import sys
import time

with open("/proc/self/status") as own_status:
    OWN = int(next(line for line in own_status if line.startswith("CapPrm")).split()[1], 16)
found = set()
print("watching", flush=True)
end = time.monotonic() + float(sys.argv[1])
known = set(os.listdir("/proc"))
while time.monotonic() < end:
    for pid in os.listdir("/proc"):
        if not pid.isdigit() or pid in known:
            continue
        try:
            with open(f"/proc/{pid}/status") as status:
                held = int(next(line for line in status if line.startswith("CapPrm")).split()[1], 16)
            if held & ~OWN:
                found.add(f"more rights: {held & ~OWN:x}")
            with open(f"/proc/{pid}/environ", "rb") as environ:
                if b"ATOLL_SECRET" in environ.read():
                    found.add("its environment")
        except (OSError, StopIteration):
            continue
print(*sorted(found), "end", sep="\n")
