"""Whole stories of operating a deployment: rollouts, rotations, records in a bucket, pools that trouble does not reach.

Each takes up to a minute, so this room is not one of `make test`: `make test-stories`.
"""
