"""Prompts made to fit a room: which sections may be cut, in which order, and what is left of each.

`fitted` does it; `rules` says what may be cut, `sections` how each is, `search` how far, with few counts. Knows no
model, no budget and no stage: it is handed what counts.
"""

from gateway.truncation.fitting import Fitted, fitted
from gateway.truncation.rules import Rules, rules
from gateway.truncation.sections import Section, examples, history, now, raw

__all__ = ["Fitted", "Rules", "Section", "examples", "fitted", "history", "now", "raw", "rules"]
