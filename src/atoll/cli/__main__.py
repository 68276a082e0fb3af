"""`python -m atoll.cli` is the command `atoll`."""

import sys

from atoll.cli.main import main

sys.exit(main())
