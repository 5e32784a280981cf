"""`python -m emulator.runner [--jitconfig CONFIGURATION]`: what `run.sh` is to the real runner."""

import sys

from emulator.runner.front import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
