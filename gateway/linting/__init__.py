"""Schemas read before they are used: what the engine will make of them, what it is given
instead, and the fewest tokens of an answer."""

from gateway.linting.breaking import breaking
from gateway.linting.cuts import Cuts
from gateway.linting.least import LONGEST_TOKEN, least_tokens
from gateway.linting.lint import lint, notes_of
from gateway.linting.note import Note
from gateway.linting.relaxed import Relaxed, relaxed

__all__ = ["LONGEST_TOKEN", "Cuts", "Note", "Relaxed", "breaking", "least_tokens", "lint", "notes_of", "relaxed"]
