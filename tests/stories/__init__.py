"""Whole stories of operating a deployment: rollouts, rotations, records in a bucket, direct mode, faults of the
vendors, pools that trouble does not reach.

Each takes a minute or two, so this room is not one of `make test`: `make test-stories`.
"""
