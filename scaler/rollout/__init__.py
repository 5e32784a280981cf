"""Changes of cells while jobs run: new templates, other sizes, drained and deleted cells. Each cell is changed at its zero only.

`template`, `canary`, `cells`, `rounds`, `steps` and `clock` decide and are pure; `performer` acts; `verbs` puts a verb together.
"""
