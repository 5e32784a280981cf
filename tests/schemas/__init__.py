"""The vendor's published descriptions, cut down to the operations that are in use."""
