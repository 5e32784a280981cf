"""The very decision core over days of virtual time, seeded, with the competitors' rules as baselines."""
