"""Passages after their guards: what is blocked is left out, what is redacted is redacted, heading and text. Pure."""

from collections.abc import Sequence
from dataclasses import replace

from gateway.exchange import Finding
from gateway.guards.redaction import redacted
from retrieval.passage import Found


def screened(passages: Sequence[Found], found: Sequence[Sequence[Finding]]) -> tuple[Found, ...]:
    """The passages that are left, in their order; of each, `found` is what guards found in its `embedded` text."""
    pairs = zip(passages, found, strict=True)
    return tuple(_left(one, findings) for one, findings in pairs if all(f.ruling != "block" for f in findings))


def _left(one: Found, findings: Sequence[Finding]) -> Found:
    redact = [finding for finding in findings if finding.ruling == "redact"]
    if not redact:
        return one
    heading, text = one.passage.heading, one.passage.text
    begin = len(heading) + 1  # of the text in what was looked at
    above = [replace(f, end=min(f.end, len(heading))) for f in redact if f.start < len(heading)]
    below = [replace(f, start=max(f.start, begin) - begin, end=f.end - begin) for f in redact if f.end > begin]
    return replace(one, passage=replace(one.passage, heading=redacted(heading, above), text=redacted(text, below)))
