"""A deployment of cells in virtual time: the real decision, record and agent, in modelled Cloud Run and GitHub."""
