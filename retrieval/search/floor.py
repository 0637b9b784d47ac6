"""The least probability of relevance that a passage is shown with."""

from typing import Final

FLOOR: Final = 0.05
