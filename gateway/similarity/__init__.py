"""May the answer kept for one question be served for another? A decision with a probability, not a threshold. Pure.

`Judge.decide` weighs two questions and their cosine similarity on what a `Calibration` has seen of their kind. Knows no
HTTP, no store and no embedder. Invariant: `max_error_rate` bounds the wrong share OF THE HITS.
"""

from gateway.similarity.calibration import Calibration, Observed
from gateway.similarity.judge import Judge, Names
from gateway.similarity.learned import NEAR, Correction
from gateway.similarity.verdict import Decision, Kind, Other

__all__ = ["NEAR", "Calibration", "Correction", "Decision", "Judge", "Kind", "Names", "Observed", "Other"]
