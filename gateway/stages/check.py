"""Check: what an answer that is given cites, and whether it finds support there. Knows no backend and no policy.

Why it stopped and whether its format holds is known by now (`gateway.stages.finish`). Sentences without support in what
they cite are told, and refuse nothing. A cached answer keeps the verdict it was stored with.
"""

from dataclasses import asdict, replace

from gateway.exchange import Call, Hit, Packed, Verdict
from gateway.tracing import traced
from retrieval.pack import citations
from retrieval.support import unsupported
from serving.events import Completion


class Check:
    """Completes verdicts."""

    @traced("check")
    async def __call__(
        self, call: Call, basis: Packed | Hit, completion: Completion, judged: Verdict | None
    ) -> Verdict:
        """`judged` is what is known of an answer that was made; a cached one has its verdict."""
        if isinstance(basis, Hit):
            return basis.verdict
        assert judged is not None  # `finish` gives none without
        text = str(completion.choices[0].message.get("content") or "") if completion.choices else ""
        cited, missing = citations(text, basis.found)
        return replace(
            judged,
            citations=tuple(asdict(one) for one in cited),
            unknown_citations=tuple(missing) if basis.prompt.retrieve else (),
            unsupported=_unsupported(basis, text),
        )


def _unsupported(basis: Packed, text: str) -> tuple[tuple[int, int], ...]:
    """Of an answer in words; the texts inside a structured one have no sentences' places."""
    search = basis.prompt.retrieve
    if search is None or basis.prompt.format.structured:
        return ()
    return tuple(unsupported(text, basis.found, search.snapshot.section.language))
