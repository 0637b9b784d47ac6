"""A repository of many templates and commits, as years of changes would leave it."""

import random
from collections.abc import Iterator
from pathlib import Path

import pygit2

SHARED = ("tone", "rules", "forms")  # partials that a third of the templates include
AUTHOR = pygit2.Signature("A. Author", "author@example.com", 1_700_000_000, 0)


def template(number: int, revision: int) -> str:
    """A template of some 600 bytes, of which each revision says something else."""
    include = f"{{% include '{SHARED[number % len(SHARED)]}' %}}\n" if number % 3 == 0 else ""
    macro = '{% from "forms" import card %}' if number % 5 == 0 else ""
    said = "{{ card(question) }}" if number % 5 == 0 else "{{ question }}"
    return (
        f"---\ndescription: Template {number} in revision {revision}.\nmodel: small\n"
        "sampling: {temperature: 0, max_tokens: 128}\n"
        "variables:\n  question: {type: string, minLength: 1, maxLength: 4000}\n"
        "  items: {type: array, items: {type: string}, default: []}\nquestion: question\n---\n"
        f'{macro}{{% message role="system" %}}\n{include}Answer as number {number} does since {revision}.\n'
        '{% endmessage %}\n{% message role="user" %}\n{% for item in items %}\n{{ loop.index }}. {{ item }}\n'
        f"{{% endfor %}}\nQuestion: {said}\n" + "{% endmessage %}\n"
    )


def partial(name: str, revision: int) -> str:
    if name == "forms":
        return f"{{% macro card(x) %}}<card-{revision}>{{{{ x }}}}</card>{{% endmacro %}}\n"
    return f"The {name} of revision {revision}.\n"


def build(place: Path, templates: int, commits: int, seed: int = 8) -> list[tuple[str, str]]:
    """Writes the repository with its work tree and tags; gives the (id, commit) of every change of a template."""
    repository = pygit2.init_repository(place, initial_head="main")
    choose = random.Random(seed)
    first = {f"templates/{_id(n)}.md.j2": template(n, 0) for n in range(templates)}
    first |= {f"partials/{name}.md.j2": partial(name, 0) for name in SHARED}
    commit = _commit(repository, place, first)
    changed = [(_id(n), commit) for n in range(templates)]
    for revision in range(1, commits):
        if revision % 20 == 0:
            name = choose.choice(SHARED)
            commit = _commit(repository, place, {f"partials/{name}.md.j2": partial(name, revision)})
            repository.references.create(f"refs/tags/v{revision}", commit)
        else:
            number = choose.randrange(templates)
            commit = _commit(repository, place, {f"templates/{_id(number)}.md.j2": template(number, revision)})
        changed.append((_id(choose.randrange(templates) if revision % 20 == 0 else number), commit))
    return changed


def _id(number: int) -> str:
    return f"team{number % 7}/t{number}"


def _commit(repository: pygit2.Repository, place: Path, files: dict[str, str]) -> str:
    for path, content in files.items():
        (place / path).parent.mkdir(parents=True, exist_ok=True)
        (place / path).write_text(content)
        repository.index.add(path)
    repository.index.write()
    parents = [] if repository.head_is_unborn else [repository.head.target]
    tree = repository.index.write_tree()
    return str(repository.create_commit("HEAD", AUTHOR, AUTHOR, "message", tree, parents))


def pairs(changed: list[tuple[str, str]], count: int, seed: int = 9) -> Iterator[tuple[str, str]]:
    """`count` different (id, commit), the oldest and the newest among them."""
    different = list(dict.fromkeys(changed))
    chosen = random.Random(seed).sample(different[1:-1], count - 2)
    yield from (different[0], *chosen, different[-1])
