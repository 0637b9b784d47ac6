"""Files to documents, each format through a well-kept parser, and all of it in a process of its own with limits.

Knows neither tokens, vectors nor collections.
"""
