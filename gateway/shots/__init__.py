"""Few-shot selection: which examples of a template stand in a prompt. Knows no tokens: budgets are `truncation`'s.

`choosing` decides by similarities and labels, `nearest` finds the similarities, `selection` does both for a request.
"""

from gateway.shots.choosing import fixed
from gateway.shots.selection import Chosen, Selection, shown

__all__ = ["Chosen", "Selection", "fixed", "shown"]
