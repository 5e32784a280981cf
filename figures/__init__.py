"""The figures of the documents, drawn from outcomes of the simulator. `python -m figures` writes them."""
