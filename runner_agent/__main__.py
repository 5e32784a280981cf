"""`python -m runner_agent`: the main process of an instance."""

import sys

from runner_agent.main import main

if __name__ == "__main__":
    sys.exit(main())
