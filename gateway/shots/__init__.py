"""Few-shot selection: which examples of a template stand in a prompt. Knows no tokens: budgets are `truncation`'s.

`choosing` decides by similarities and labels, `nearest` finds the similarities, `selection` does both for a request.
"""

from gateway.shots.choosing import fixed
from gateway.shots.selection import Chosen, Selection, chosen_now

__all__ = ["Chosen", "Selection", "chosen_now", "fixed"]
