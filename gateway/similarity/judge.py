"""The decision: similar enough by what is known of this kind of question, and nothing speaks against it."""

from typing import Literal

from gateway.similarity.calibration import Calibration
from gateway.similarity.verdict import Decision, Kind
from gateway.similarity.veto import veto

# Whether questions that name different people, places or products may share an answer.
Names = Literal["strict", "tolerant"]
_THRESHOLDS: dict[Kind, float] = {"open": 0.95, "closed": 0.85}


class Judge:
    """Decides for one template: `max_error_rate` is the wrong share of the hits that its user accepts (0 .. 1)."""

    def __init__(self, max_error_rate: float = 0.01, kind: Kind = "open", names: Names = "strict") -> None:
        self.max_error_rate, self.kind, self.names = max_error_rate, kind, names

    def decide(self, cached: str, asked: str, similarity: float, evidence: Calibration) -> Decision:
        """Whether the answer kept for `cached` may be served for `asked`; `similarity` is their cosine (-1 .. 1)."""
        if against := veto(cached, asked):
            return Decision(False, 0.0, (f"they differ in {against}",))
        threshold = _THRESHOLDS[self.kind]
        if similarity < threshold:
            return Decision(False, max(similarity, 0.0), (f"similarity {similarity:.3f} is below {threshold:g}",))
        return Decision(True, similarity, (f"similarity {similarity:.3f}",))
