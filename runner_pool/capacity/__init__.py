"""`runner-pool simulate --history`: the finished jobs of the last days as a trace, and what they advise.

`history` turns jobs into traces (pure), `reading` asks GitHub for them beside a scaler that lives on the same allowance,
`report` writes what was found and advised (pure), `study` puts them together.
"""
