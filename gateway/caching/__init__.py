"""What the cache stage is made of, a page each; `gateway.stages.cache` is the story.

Knows no budget and no HTTP. Nothing here names a concrete store.
"""
