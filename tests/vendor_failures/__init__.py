"""What has gone wrong for others on GitHub and Cloud Run: each with a test that fails once its handling is removed.

docs/reference/vendor_failures.md has one line for each; a test keeps page and rows in step.
"""
