"""Old versions say what they said: each is held against its commit, checked out by git and read by a fresh process."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from prompts.library import Library
from prompts.remote import Remote
from tests.prompts.scaled import build, pairs

VARIABLES = {"question": "Why {{ 7 * 7 }}?", "items": ["a", "{% raw %}"]}
# Reads lines of `[folder, id]`, and answers each with what the template in that work tree renders and its digest.
ORACLE = """
import json, sys
from pathlib import Path
from prompts.library import Library
for line in sys.stdin:
    folder, id = json.loads(line)
    template = Library.load(Path(folder)).get(id)
    print(json.dumps([template.render(json.loads(sys.argv[1])), template.digest]), flush=True)
"""


class Oracle:
    """A work tree that plain git checks out, and a process that knows nothing but the files in it."""

    def __init__(self, repository: Path, place: Path) -> None:
        self._place = place
        self._git("clone", "-q", "--no-checkout", str(repository), str(place))
        self._process = subprocess.Popen(
            [sys.executable, "-c", ORACLE, json.dumps(VARIABLES)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip

    def __call__(self, id: str, commit: str) -> list[object]:
        shutil.rmtree(self._place / "templates", ignore_errors=True)
        wanted = (f"templates/{id}.md.j2", "partials")  # these alone, so that reading is quick
        self._git("-C", str(self._place), "checkout", "-q", "-f", commit, "--", *wanted)
        assert self._process.stdin
        assert self._process.stdout
        print(json.dumps([str(self._place), id]), file=self._process.stdin, flush=True)
        found: list[object] = json.loads(self._process.stdout.readline())
        return found

    def close(self) -> None:
        self._process.communicate(timeout=60)

    def _git(self, *arguments: str) -> None:
        subprocess.run(["git", *arguments], check=True, capture_output=True, timeout=60)


def compare(place: Path, templates: int, commits: int, count: int) -> int:
    changed = build(place / "work", templates, commits)
    local = Library.load(place / "work")
    mirrored = Library.open(Remote((place / "work").as_uri(), place / "mirror.git"))
    oracle = Oracle(place / "work", place / "oracle")
    compared = 0
    try:
        for id, commit in pairs(changed, count):
            said, digest = oracle(id, commit)
            for library in (local, mirrored):
                for version in (commit, commit[:12], str(digest)):
                    template = library.get(id, version)
                    assert [template.render(VARIABLES), template.digest] == [said, digest], (id, version)
                compared += 1
    finally:
        oracle.close()
    return compared


def test_old_versions_render_as_at_their_commits(tmp_path: Path) -> None:
    assert compare(tmp_path, templates=6, commits=45, count=8) == 16


@pytest.mark.prove
@pytest.mark.timeout(1800)
def test_500_old_versions_render_as_at_their_commits(tmp_path: Path) -> None:
    assert compare(tmp_path, templates=200, commits=1000, count=500) == 1000
