"""PURE: the protocol's times in a simulation; the defaults of the configuration (docs/reference/configuration.md)."""

HEARTBEAT_SECONDS = 20.0
LONG_POLL_SECONDS = 25.0
SETTLE_SECONDS = 80.0
SUSPECT_SECONDS = 60.0
LEADER_TTL_SECONDS = 15.0
LEADER_RENEWAL_SECONDS = 5.0
DYING_SECONDS = 15.0
LISTEN_MAX_SECONDS = 300.0
JOB_TIMEOUT_SECONDS = 6 * 3600.0
MAX_LIFETIME_SECONDS = 6 * 3600.0
SWEEP_SECONDS = 30.0
CELLS_SECONDS = 5.0
CELLS_IDLE_SECONDS = 30.0
CONFIRM_SECONDS = 1.0

# Start, listening twice over, the job, the stop ladder, five minutes.
LEASE_SECONDS = 30.0 + 2 * LISTEN_MAX_SECONDS + JOB_TIMEOUT_SECONDS + 10.0 + 300.0

# Of single calls; each far below what anything waits for.
CALL_SECONDS = 0.02
STORE_SECONDS = 0.02
JIT_SECONDS = 0.4

# How long an instance waits that was told to come back when registrations are left.
PAUSED_SECONDS = 5.0

# After which an unanswered call is given up.
CALL_TIMEOUT_SECONDS = 35.0
