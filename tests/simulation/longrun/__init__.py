"""A long simulation under seeds: accounts do everything at random while everything fails; see docs/reliability.md.

    python -m tests.simulation.longrun --minutes 60 --seed 1          # on paper, then in a real kernel (as root)
    python -m tests.simulation.longrun --level paper --seed 17 --once # one story again

`people` ask, `paper` has a whole daemon in this process on a clock of its own, `real` a daemon as a process with its
kernel; `claims` is what must hold after every step.
"""
