"""Workflow files: what a file says, which jobs are due, what a runner is told. Pure: no clock, no I/O."""
