"""With this folder on PYTHONPATH, a gateway runs without its ledger: to measure what the ledger costs otherwise.

Python imports a `sitecustomize` when it starts, so it reaches the workers too. BARE says what is left: `nothing`, or
`rows`, the journal's row of each request as it ends. Nothing is limited, nothing is recovered.
"""

import os
from dataclasses import replace

from benchmarks.nothing import NoBudgets, NoJournal
from gateway.state import State
from gateway.state import open as opening
from gateway.state.eviction import ENTRIES

_open = opening.open_state


async def bare(url: str, ledger: str = opening.LEDGER, trust_clock: bool = False, max_entries: int = ENTRIES) -> State:
    state = await _open(url, ledger, trust_clock, max_entries)
    journal = state.journal if os.environ["BARE"] == "rows" else NoJournal()
    return replace(state, budgets=NoBudgets(journal), journal=journal)


opening.open_state = bare
