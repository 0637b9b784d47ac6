"""Collections in engines that hold shards on several machines, each an `Index` as a local collection is.

`docs/scale.md` says when one is needed, and why it is Qdrant.
"""
