"""Thousands of seeded worlds in virtual time, in two processes, and the table of what came of them."""
