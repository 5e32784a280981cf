"""`python -m runner_pool` is `runner-pool`."""

from runner_pool.main import main

main()
