"""GitHub's REST API as far as a runner pool needs it: the App's identity, runs, jobs, runners, JIT
configurations, webhooks.

Used by the scaler and, in direct mode, by the agent; knows neither, nor Google. `values` are what comes out,
`wire` and `replies` turn bytes and headers into them (pure), `webhook` verifies deliveries (pure), `client`
sends. Nothing here logs, and nothing sleeps for longer than a moment: who is limited is told until when.
"""
