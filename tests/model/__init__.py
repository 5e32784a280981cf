"""An exhaustive check of the protocol of one cell: every order of every step, up to the size of the setting."""
