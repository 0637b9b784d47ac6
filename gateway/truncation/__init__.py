"""A conversation made to fit a room: what is left out first, and what is left of the rest. Knows no model, no budget.

`fitted` is the whole of it; `turns` says what can be left out, `shortening` how a text is made shorter.
"""

from gateway.truncation.fitting import Count, Cut, How, fitted

__all__ = ["Count", "Cut", "How", "fitted"]
