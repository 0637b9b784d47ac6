"""Tollgate: what a request costs, why it was answered so, and whether to trust it. `pipeline.py` is the story."""
