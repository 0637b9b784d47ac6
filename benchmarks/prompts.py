"""What prompts cost: loading a library of 200 templates and 1,000 commits, reloading it, old versions, a render.

    python -m benchmarks.prompts [--templates 200] [--commits 1000]

`folder` is a work tree, `mirror` a branch of that repository fetched into a bare mirror, `again` a start on the mirror
that is there already. Wall and processor time of this process; nothing is asserted.
"""

import argparse
import tempfile
import timeit
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter, process_time
from typing import TypeVar

from prompts.library import Library
from prompts.remote import Remote
from tests.prompts.scaled import build, template

SHIPPED = Path(__file__).parents[1] / "prompts"
OLD = 50  # old versions that are asked for
_Made = TypeVar("_Made")


@dataclass(frozen=True)
class Passage:
    """What a template sees of a passage."""

    number: int
    heading: str
    text: str


class Passages(tuple[Passage, ...]):
    """Passages, and the mark of the fence around them."""

    fence = "5d2c90af"


def told(what: str, step: Callable[[], _Made]) -> _Made:
    wall, processor = perf_counter(), process_time()
    made = step()
    print(
        f"{what:44} {(perf_counter() - wall) * 1000:9.1f} ms, processor {(process_time() - processor) * 1000:9.1f} ms"
    )
    return made


def rendering() -> None:
    answer = Library.load(SHIPPED).get("answer")
    text = "A sentence of eight words stands here. " * 20
    passages = Passages(Passage(n, "Page > Heading", text) for n in range(1, 5))
    asked = {"question": "What is it?"}
    took = min(timeit.repeat(lambda: answer.render(asked, passages), timer=process_time, number=1000, repeat=5))
    print(f"{'render `answer`, 4 passages of 800 bytes':44} {took:9.3f} ms of processor time")


def loading(place: Path, templates: int, commits: int) -> None:
    changed = build(place / "work", templates, commits)
    source = Remote((place / "work").as_uri(), place / "mirror.git")
    library = told(f"load folder, {templates} templates, {commits} commits", lambda: Library.load(place / "work"))
    told("load mirror, fetched", lambda: Library.open(source))
    told("load mirror, again", lambda: Library.open(source))
    told("reload, nothing has changed", library.reloaded)
    id, _ = changed[0]
    (place / "work/templates" / f"{id}.md.j2").write_text(template(0, commits))
    told("reload, one file has changed", library.reloaded)
    told(f"{OLD} old versions by commit", lambda: [library.get(*one) for one in changed[-OLD:]])
    told("the versions of one template", lambda: library.versions(id))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--templates", type=int, default=200)
    parser.add_argument("--commits", type=int, default=1000)
    arguments = parser.parse_args()
    rendering()
    with tempfile.TemporaryDirectory() as scratch:
        loading(Path(scratch), arguments.templates, arguments.commits)


if __name__ == "__main__":
    main()
