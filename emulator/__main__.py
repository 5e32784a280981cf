"""`python -m emulator`."""

import sys

from emulator.main import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
