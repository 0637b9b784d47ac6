"""Whether a candidate version is worse than its base, asked after every answer while both run. Pure.

Whoever looks at a test's p-value until it is small will see it small, of a harmless change too. This evidence may be
looked at whenever one likes. It is an e-process by universal inference (Wasserman, Ramdas, Balakrishnan, PNAS 117,
2020, section 8): how probable the answers are under a mixture of all pairs of shares (Jeffreys' prior for each), over
how probable they are at most if the candidate's share of bad answers is not above the base's. If it is not, the
evidence ever reaches 1/a with a probability of at most a (Ville's inequality), exactly so, with any number of answers,
however they are allotted and whenever one stops. Of several kinds of bad answers it is the evidences' mean, which is
one again, however the kinds depend on each other (Vovk, Wang, Annals of Statistics 49, 2021).

What it asks of the answers: that those of one version are bad independently of each other. Where conversations stay
with a version, and one bad answer brings the next, count one answer of each conversation. And that both versions run at
the same time, with the same shares of the traffic throughout: then an outage hits both alike. Begin anew when the
shares change.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from math import exp, lgamma, log, pi

from gateway.quality.words import Word

BAD: Sequence[Word] = ("error", "truncated", "invalid")
ALARM = 0.01  # of a hundred harmless canaries, from their first answer to their last, one at most is held back
_MOST = 700.0  # e**700 is about the largest float


@dataclass(frozen=True, slots=True)
class Seen:
    """How many answers were judged, and how many of them had each word."""

    answers: int = 0
    found: Mapping[str, int] = field(default_factory=dict)

    def add(self, checks: Iterable[str]) -> "Seen":
        """One more, with these words."""
        return Seen(self.answers + 1, Counter(self.found) + Counter(set(checks)))

    def share(self, word: str) -> float:
        return self.found.get(word, 0) / self.answers if self.answers else 0.0


@dataclass(frozen=True, slots=True)
class Judgement:
    """Whether the candidate is `worse`: `evidence` (1: none; 100: such is seen once in a hundred harmless canaries at
    most) has reached what was asked. `word`: what speaks most against it, and its `base` and `candidate` shares."""

    worse: bool
    evidence: float
    word: Word
    base: float
    candidate: float


def worse(base: Seen, candidate: Seen, alarm: float = ALARM, bad: Sequence[Word] = BAD) -> Judgement:
    """Judge by all answers since both have run. `alarm`: the share of harmless candidates that may be called worse."""
    evidence = {word: _evidence(base, candidate, word) for word in bad}
    most = max(evidence, key=evidence.__getitem__)
    mean = sum(exp(min(one, _MOST)) for one in evidence.values()) / len(evidence)
    return Judgement(mean >= 1 / alarm, mean, most, base.share(most), candidate.share(most))


def _evidence(base: Seen, candidate: Seen, word: Word) -> float:
    """The logarithm of it, for one kind of bad answers."""
    one, two = ((seen.found.get(word, 0), seen.answers) for seen in (base, candidate))
    if two[0] * one[1] <= one[0] * two[1]:
        best = _likely(*one) + _likely(*two)
    else:  # the candidate's share is above the base's: at most, they are equal
        best = _likely(one[0] + two[0], one[1] + two[1])
    return _mixed(*one) + _mixed(*two) - best


def _mixed(k: int, n: int) -> float:
    """The log-probability of k bad of n in their order, over all shares (Krichevsky, Trofimov, IEEE IT 27, 1981)."""
    return lgamma(k + 0.5) + lgamma(n - k + 0.5) - lgamma(n + 1) - log(pi)


def _likely(k: int, n: int) -> float:
    """The same at the share that makes them most probable."""
    return sum(part * log(part / n) for part in (k, n - k) if part)
