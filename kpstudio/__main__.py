"""`python -m kpstudio` is `kpstudio`."""

from __future__ import annotations

import sys

from kpstudio.app import main

if __name__ == "__main__":
    sys.exit(main())
