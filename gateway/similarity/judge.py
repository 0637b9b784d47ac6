"""The decision: what speaks against it, else how probable the prior finds it, against what this pool may serve."""

from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Literal

from gateway.similarity import prior, vetoes
from gateway.similarity.calibration import Calibration
from gateway.similarity.comparison import Comparison, Relation, relate
from gateway.similarity.features import features
from gateway.similarity.learned import NEAR, Correction
from gateway.similarity.reading import Reading, read
from gateway.similarity.verdict import Decision, Kind, Other

# `tolerant`: another name in the place of a name speaks against it. `strict`: so does one that is left out.
Names = Literal["strict", "tolerant"]

_VETOES: dict[Relation, tuple[tuple[str, vetoes.Veto], ...]] = {
    "identical": (("what they point at", vetoes.pointing), ("who asks", vetoes.own_case)),
    "same": vetoes.STRICT,
    "changed": vetoes.STRICT,
    "statement": vetoes.STRICT,
    "report": vetoes.OF_STATEMENTS,
    "described": vetoes.OF_DESCRIBED,
    "restated": vetoes.OF_RESTATED,
}
_SAYS: dict[Relation, str] = {
    "identical": "the same words",
    "same": "the same content words",
    "described": "a case, told at length",
    "restated": "restated at length",
    "statement": "statements of the same content words",
    "report": "long statements, {words.exchanged} content words exchanged, {words.added} added",
    "changed": "{words.exchanged} content words exchanged, {words.added} added or another frame",
}


class Judge:
    """Decides for one template. `max_error_rate` is the wrong share of the hits that its user accepts (0 .. 1);
    `ignore` names vetoes that do not matter there (see `vetoes.VETOES`)."""

    def __init__(
        self,
        max_error_rate: float = 0.01,
        kind: Kind = "open",
        names: Names = "tolerant",
        ignore: Collection[str] = (),
    ) -> None:
        unknown = set(ignore) - vetoes.VETOES.keys()
        if unknown or not 0 < max_error_rate < 1:
            known = ", ".join(vetoes.VETOES)
            raise ValueError(f"max_error_rate {max_error_rate}, ignore {sorted(unknown)}: 0 to 1, and of {known}")
        self.max_error_rate, self.kind, self.names, self._ignore = max_error_rate, kind, names, frozenset(ignore)

    def decide(
        self,
        cached: str,
        asked: str,
        similarity: float,
        evidence: Calibration,
        others: Sequence[Other] = (),
        correction: Correction | None = None,
    ) -> Decision:
        """Whether the answer kept for `cached` may be served for `asked`; `similarity` is their cosine (-1 .. 1).

        `others` are further kept questions near `asked`, the nearest first; for a closed set only, where the same
        answer is given to many questions: then they more than double the hits. `correction` is the pool's own model,
        where there is one: it may serve what the evidence alone does not.
        """
        a, b = read(cached), read(asked)
        words = Comparison.of(a, b)
        relation = relate(a, b, words)
        if against := self._against(a, b, relation):
            return Decision(False, 0.0, (f"they differ in {against}",))
        if self.kind == "closed":
            probability, said = prior.closed(similarity, others), _around(others)
        else:
            probability, said = prior.opened(relation, words, similarity), _SAYS[relation].format(words=words)
        least = evidence.least(self.max_error_rate)
        why = said, f"similarity {similarity:.3f}", f"probability {probability:.4f}, served from {least:.4f}"
        looks = features(a, b, words, relation, similarity, others)
        if probability >= least or probability < NEAR or correction is None:
            return Decision(probability >= least, probability, why, features=looks)
        return self._corrected(Decision(False, probability, why, features=looks), correction)

    def _corrected(self, decision: Decision, correction: Correction) -> Decision:
        """What the pool's own model makes of what is not served."""
        probability = correction.probability(decision.probability, decision.features)
        least = correction.least(self.max_error_rate)
        why = *decision.reasons, f"as learned here {probability:.4f}, proven from {least:.4f}"
        return replace(decision, hit=probability >= least, learned=probability >= least, reasons=why)

    def _against(self, a: Reading, b: Reading, relation: Relation) -> str | None:
        """The first difference that forbids it, by name."""
        table = vetoes.OF_CLOSED if self.kind == "closed" else _VETOES[relation]
        if self.names == "strict" and vetoes.any_name(a, b):
            return "names"
        return next((name for name, veto in table if name not in self._ignore and veto(a, b)), None)


def _around(others: Sequence[Other]) -> str:
    around = others[: prior.AROUND]
    return f"{sum(other.same for other in around)} of {len(around)} other questions nearby have the same answer"
