"""A folder of prompts in git, to change while a gateway runs."""

import os
import subprocess
from pathlib import Path

HEAD = "---\ndescription: d\nmodel: small\nvariables: {q: {type: string}}\n"
ANSWER = "{type: object, properties: {ok: {type: boolean}}, required: [ok], additionalProperties: false}"
CHECKED = f"{HEAD}output_schema: {ANSWER}\non_stop: {{invalid: error}}\n"


def text(name: str, head: str = HEAD) -> str:
    """A template that says its name to the model."""
    return f'{head}---\n{{% message role="user" %}}{name}: {{{{ q }}}}{{% endmessage %}}\n'


class Prompts:
    """The folder, with one template `say` to begin with."""

    def __init__(self, folder: Path, head: str = HEAD) -> None:
        self.folder, self._head = folder, head
        (folder / "templates").mkdir(parents=True)
        self.git("init", "-q", "-b", "main")
        self.write("v1")
        self.tag("v1")

    def write(self, name: str, id: str = "say") -> None:
        """A good version, at once."""
        self.put(text(name, self._head), id)

    def put(self, whole: str, id: str = "say") -> None:
        file = self.folder / "templates" / f"{id}.md.j2"
        new = file.with_suffix(".new")
        new.write_text(whole)
        new.replace(file)

    def tag(self, version: str) -> None:
        """What is in the folder is a version from now on."""
        self.git("add", ".")
        self.git("commit", "-qm", version)
        self.git("tag", version)

    def git(self, *arguments: str) -> None:
        who = {f"GIT_{what}_{how}": "a@example.com" for what in ("AUTHOR", "COMMITTER") for how in ("NAME", "EMAIL")}
        subprocess.run(["git", *arguments], cwd=self.folder, check=True, env=os.environ | who)
