"""The small durable record of each cell: gate and leases, changed only by compare-and-set.

Used by the scaler and, in direct mode, by the agent; knows neither. `record` is pure, `change` applies pure
transitions through a store, `sqlite` and `cloud_storage` are stores.
"""
