"""`python -m nbgate` is `nbgate`."""

import sys

from nbgate.cli import main

if __name__ == "__main__":
    sys.exit(main())
