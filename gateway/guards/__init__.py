"""Guards: what looks at texts that come in and go out. `protocols.py` says what one is; `detectors/` has our own."""
