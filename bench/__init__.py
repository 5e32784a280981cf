"""Small benches of the real programs on this machine. `python -m bench` prints a table and writes nothing else."""
