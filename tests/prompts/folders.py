"""A prompts folder inside a repository of its own, which a test writes and commits to."""

from pathlib import Path

import pygit2

from prompts.library import Library

AUTHOR = "A. Author"


def text(words: str) -> str:
    """A template that renders these words."""
    return f'---\ndescription: d\nvariables: {{}}\n---\n{{% message role="user" %}}{words}{{% endmessage %}}\n'


class Folder:
    """A prompts folder inside a repository of its own."""

    def __init__(self, place: Path) -> None:
        self.repository = pygit2.init_repository(place, initial_head="main")
        self.root = place / "app" / "prompts"
        self._clock = 1_700_000_000

    def write(self, id: str, content: str) -> None:
        path = self.root / "templates" / f"{id}.md.j2"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode())

    def commit(self, reference: str = "HEAD", parents: list[pygit2.Oid] | None = None) -> pygit2.Oid:
        index = self.repository.index
        index.add_all()
        index.write()
        self._clock += 60
        author = pygit2.Signature(AUTHOR, "author@example.com", self._clock, 0)
        if parents is None:
            parents = [] if self.repository.head_is_unborn else [self.repository.head.peel(pygit2.Commit).id]
        return self.repository.create_commit(reference, author, author, "message", index.write_tree(), parents)

    def tag(self, name: str, target: pygit2.Oid) -> None:
        self.repository.references.create(f"refs/tags/{name}", target)


def words(library: Library, id: str, version: str | None = None) -> str:
    return library.get(id, version).render({})[0]["content"]
