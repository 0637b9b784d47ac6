"""Tollgate as it is compared: three processes, each on settings and an SQLite state of its own.

`bare` is what a router does too; `everything` is what the product does out of the box; the semantic tier of the cache
stands by itself, because it embeds each new question. No documents are searched: the peers have none.
"""

import json
import os
from functools import partial
from pathlib import Path

from benchmarks import running
from benchmarks.ledger import BARE, free_key
from benchmarks.peers.recipe import Place, Recipe, bearer
from benchmarks.running import LIMITS, ROOT, Process, tollgate

SETTINGS = """
[state]
url = "sqlite:///state.db"
ledger = "sqlite:///ledger.db"
[build]
prompts = {prompts}
[cache]
plain = "{plain}"
[backends.stub]
url = "http://127.0.0.1:{backend}"
[models.tiny]
backends = ["stub"]
tokenizer = {tokenizer}
[prices.tiny]
input = 0.10
output = 0.40
"""


def bare(place: Place) -> Recipe:
    """Key, parse, count, route: no limits, no ledger, no cache."""
    folder = set_up(place, "off")
    extra = {"PYTHONPATH": f"{BARE}{os.pathsep}{ROOT}", "BARE": "nothing"}
    start = partial(running.gateway, folder, extra=extra)
    return Recipe("tollgate bare", start, bearer(free_key(folder)), {"gateway": {"cache": "skip"}})


def everything(place: Place) -> Recipe:
    """Key, budgets held and settled, exact tokens, cache looked up and filled, trace."""
    return Recipe("tollgate everything", *_whole(place, "exact"))


def semantic(place: Place) -> Recipe:
    """The same, and the nearest earlier question is looked for: each new question is embedded."""
    return Recipe("tollgate + semantic cache", *_whole(place, "semantic"), rate=10, streams=2)


OURS = (bare, everything, semantic)


def _whole(place: Place, plain: str) -> tuple[partial[Process], dict[str, str]]:
    """The start and the headers of a gateway whose tenant has limits."""
    folder = set_up(place, plain)
    limits = (option for limit in LIMITS for option in ("--limit", limit))
    tollgate(folder, "tenants", "create", "bench", *limits)
    key = json.loads(tollgate(folder, "keys", "create", "--tenant", "bench", "--json"))[0]["key"]
    return partial(running.gateway, folder), bearer(key)


def set_up(place: Place, plain: str) -> Path:
    """A folder with settings in which requests without a template are cached as `plain` says."""
    folder = place.folder / f"cache-{plain}"
    folder.mkdir()
    paths = {"prompts": ROOT / "prompts", "tokenizer": ROOT / "serving/tiny/model"}
    quoted = {name: json.dumps(str(path)) for name, path in paths.items()}
    (folder / "gateway.toml").write_text(SETTINGS.format(plain=plain, backend=place.backend, **quoted))
    return folder
