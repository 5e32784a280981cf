"""The shapes that traces are drawn from: how long jobs take, when people push, what comes at once.

Every number here is our own choice for orientation, not a measurement of anybody's jobs.
"""
