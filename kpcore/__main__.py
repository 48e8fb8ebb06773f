"""`python -m kpcore` is `kp`; so is `accelerate launch -m kpcore`."""

from __future__ import annotations

import sys

from kpcore.cli import main

if __name__ == "__main__":
    sys.exit(main())
