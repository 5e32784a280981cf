"""The command `runner-pool` with every library's log at its loudest: `python -m tests.e2e.loud_scaler serve …`."""

from __future__ import annotations

import logging
import sys

from runner_pool.main import main

if __name__ == "__main__":
    logging.basicConfig(level=logging.DEBUG, stream=sys.stderr)
    main(sys.argv[1:])
