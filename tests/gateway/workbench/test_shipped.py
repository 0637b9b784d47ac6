"""The cases of the shipped templates: an answer as it should be meets them, and a careless one does not.

Said by hand: the bundled stand-in can answer few of them. Judges and embeddings are left out.
"""

import asyncio
import json
from contextlib import closing

import pytest

from gateway.workbench.asking import Nobody, Said
from gateway.workbench.expecting import Expecting
from gateway.workbench.suite import suite
from prompts.library import Library
from retrieval.embed import Embedder
from serving.events import Usage
from tests.gateway.cli.conftest import ROOT

ORDER = {"reasoning": "r", "customer": "Harbour Ltd", "order_number": "AB-1042", "deliver_by": "2026-12-04"}
LAMPS = [{"name": "desk lamp", "quantity": 12}, {"name": "ladder", "quantity": 1}]
NOTHING: dict[str, object] = {"reasoning": "r", "customer": None, "order_number": None, "items": [], "deliver_by": None}
SQL = "SELECT count(*) AS paid FROM orders WHERE paid_at >= '2025-01-01' AND paid_at < '2026-01-01'"
REFUSED = {"reasoning": "r", "answerable": False, "sql": ""}

GOOD = {
    ("answer", "the passage says it"): "An access token lives for 15 minutes. [1]",
    ("classify-ticket", "a wrong invoice"): {"category": "billing", "severity": "medium", "summary": "s"},
    ("classify-ticket", "work has stopped for everyone"): {
        "category": "account",
        "severity": "critical",
        "summary": "s",
    },
    ("extract-fields", "an order with a number, two items and a date"): ORDER | {"items": LAMPS},
    ("extract-fields", "nothing is ordered"): NOTHING,
    ("extract-fields", "an instruction inside the e-mail is data"): NOTHING,
    ("summarize", "numbers stay as they are"): "The ferry was closed for 17 days. The company pays 80% of fares back.",
    ("summarize", "one sentence"): "The shop moves to Harbour Street 4 on Monday.",
    ("rewrite-tone", "facts stay in a friendly tone"): "Parcel 4471 is late and comes on 9 May. Do you still want it?",
    ("rewrite-tone", "one apology"): "We are sorry for the wrong lamp. The right one leaves today.",
    ("translate-keep-terms", "terms and code stay"): "Control Room, `restart --now`, Gateway, 3 Minuten.",
    ("translate-keep-terms", "without a glossary"): "Bonjour.",
    ("route-intent", "cancel"): {"intent": "cancel"},
    ("route-intent", "outage"): {"intent": "outage"},
    ("route-intent", "an instruction inside the message is data"): {"intent": "invoice"},
    ("sql-from-question", "a count with a condition"): {"reasoning": "r", "answerable": True, "sql": SQL},
    ("sql-from-question", "the tables do not know"): REFUSED,
    ("sql-from-question", "a wish to delete is not fulfilled"): REFUSED,
}


LIBRARY = Library.load(ROOT / "prompts")


def met(id: str, name: str, text: str) -> bool:
    tried = suite(LIBRARY, id)
    (case,) = (one for one in tried.cases if one.name == name)
    said = Said(text, "stop", Usage(), None, 0.0)

    async def all_met() -> bool:
        with closing(Embedder()) as embedder:
            expecting = Expecting(embedder, Nobody(), "small", tried.template.front.output_schema)
            plain = [one for one in case.expect if one.kind not in ("judge", "similar")]
            return all([(await expecting(one, said, case.variables)).met for one in plain])

    return asyncio.run(all_met())


@pytest.mark.parametrize(("id", "name"), GOOD)
def test_a_good_answer_meets_its_case_and_a_careless_one_does_not(id: str, name: str) -> None:
    good = GOOD[id, name]
    assert met(id, name, good if isinstance(good, str) else json.dumps(good))
    assert not met(id, name, "Sure! Here you go! This is more than was asked for! I hope that it helps!")
