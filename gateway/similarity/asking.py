"""What kind of answer a question wants: a person, a place, a time, a way, a yes or no. Pure, English."""

import re
from collections.abc import Iterator, Sequence
from typing import Final

from gateway.similarity.lexicon import AUXILIARIES, IMPERATIVE, MEASURES

_WH: Final = {
    "what": "what", "which": "what", "who": "who", "whom": "who", "whose": "who", "when": "when", "where": "where",
    "why": "why", "how": "how", "whether": "whether",
}  # fmt: skip
_ENDS: Final = re.compile(r"(?<=[.?!])")
_OPENING: Final = re.compile(
    r"^(?:(?:hi|hello|hey|dear|ok|okay|so|and|but|also|then|well|please|kindly|sorry|thanks|doctor|dr|sir|,|:)\s)*"
    r"(?:(?:can|could|would|will) (?:you|anyone|someone|somebody) (?:please |kindly )?"
    r"(?:tell|explain|help|show|describe|give|teach|advise|clarify)(?: me| us)?(?: (?:to )?understand| know| about)?"
    r"|(?:do|does) (?:you|anyone|anybody) know"
    r"|(?:may|can|could) i (?:please )?(?:know|ask(?: you)?)"
    r"|i (?:am|was) (?:just )?(?:wondering|curious(?: about)?)|i (?:just )?wonder"
    r"|i (?:would|do) (?:really )?(?:like|love|want) to (?:know|ask|understand|learn)(?: about)?"
    r"|i (?:want|need|have|wanted) to (?:know|ask|understand|learn)(?: about)?"
    r"|(?:please )?(?:tell|show|explain|teach)(?: to)?(?: me| us)|(?:any|some) (?:idea|ideas)|let me know)\s"
)
_WAY: Final = re.compile(
    r"^(?:(?:what|which) (?:is|are|would|will|could|might|can) (?:the |a |some |be )*(?:\w+ ){0,2}?"
    r"(?:way|ways|method|methods|steps|procedure|process) (?:to|of|for|in which)\b"
    r"|(?:is|are) there (?:a |any |some )?(?:\w+ )?(?:way|ways|method) (?:to|of|for|i|that)\b"
    r"|(?:what|which) (?:way|ways|steps|method)\b|what (?:should|can|do|must|could) (?:i|we|you|one) do to\b)"
)


def core(forms: Sequence[str]) -> list[str]:
    """The sentences of a text without what merely opens them (`can you tell me`). `forms`: tokens in lower case, with
    pauses."""
    return [_OPENING.sub("", sentence.strip()) for sentence in _ENDS.split(" ".join(forms)) if sentence.strip()]


def asks(sentences: Sequence[str]) -> frozenset[str]:
    """The kinds of answer that a text's core asks for; empty for a statement."""
    return frozenset(kind for sentence in sentences for kind in _of_sentence(sentence))


def _of_sentence(rest: str) -> Iterator[str]:
    if _WAY.match(rest):
        yield "how"
        return
    words = rest.split()
    if not words:
        return
    if words[0] in AUXILIARIES or words[0] == "whether":
        yield "exists" if words[1:2] == ["there"] else "whether"
    elif words[0] in IMPERATIVE:
        yield "what"
    questions = rest.endswith("?") or words[0] in _WH
    for at, word in enumerate(words):
        leads = at == 0 or words[at - 1] in ("and", "or", ",", "but", "so", "then") or at == 1
        if word in _WH and (at == 0 or questions) and (leads or words[0] not in AUXILIARIES):
            yield _exact(word, words[at + 1] if at + 1 < len(words) else "")
            if not leads:
                return


def _exact(word: str, following: str) -> str:
    if word == "how" and following in MEASURES:
        return f"how {following}"
    if word == "how" and following == "come":
        return "why"
    if word in ("what", "which") and following in ("time", "year", "date"):
        return "when"
    return _WH[word]
