"""Lengths in tokens as a histogram that journals can add up: buckets of at most an eighth of their length. Pure.

Exact below 16 tokens, then eight buckets to each doubling (the form of HdrHistogram, http://hdrhistogram.org), so that
any length is known to a sixteenth, 128,000 tokens need 120 buckets, and sums of sums stay sums.
"""

_BITS = 4  # that are kept of a length: the highest is always 1, so eight buckets a doubling
_EACH = 1 << (_BITS - 1)


def bucket(tokens: int) -> int:
    """The bucket of a length; they rise with it. Nothing is shorter than 0."""
    tokens = max(tokens, 0)
    shift = max(0, tokens.bit_length() - _BITS)
    return shift * _EACH + (tokens >> shift)


def middle(bucket: int) -> float:
    """The middle of a bucket's lengths, in tokens."""
    shift = max(0, bucket // _EACH - 1)
    return ((bucket - shift * _EACH) << shift) + ((1 << shift) - 1) / 2
