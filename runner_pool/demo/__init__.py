"""The demo: the whole system on one machine, with workflows of ours or of the user. See stage.py."""
