"""A version of a template with all that tries it: cases, golden renders, recorded answers. Tries nothing.

All of them are read from the same version: a case says what its version must do, and may be nonsense for another.
"""

from collections.abc import Mapping
from pathlib import Path

from gateway.settings import Settings
from gateway.workbench import cases, golden, recorded
from gateway.workbench.cases import Case, CasesError
from gateway.workbench.golden import Renders
from gateway.workbench.recorded import Recorded
from prompts.files import TEMPLATES
from prompts.library import Library
from prompts.template import Template
from serving.frozen import dataclass

SUFFIX = ".cases.yaml"


@dataclass(frozen=True, slots=True)
class Suite:
    """`golden` and `recorded` are None where there is no such file."""

    template: Template
    cases: tuple[Case, ...]
    golden: Renders | None = None
    recorded: Recorded | None = None


def suite(library: Library, id: str, version: str | None = None) -> Suite:
    """Raises PromptError, CasesError."""
    template, read = library.get(id, version), library.reading(id, version)
    kept = read(answers := _path(id, recorded.SUFFIX))
    return Suite(
        template,
        cases.read(_path(id, SUFFIX), read(_path(id, SUFFIX))),
        golden.read(_path(id, golden.SUFFIX), read(_path(id, golden.SUFFIX))),
        None if kept is None else Recorded(answers, kept),
    )


def write(settings: Settings, suffix: str, contents: Mapping[str, bytes]) -> None:
    """Write the files of that suffix beside templates, by id. Raises CasesError where no folder can be written to."""
    if settings.build.repository is not None:
        raise CasesError(
            "the templates are a repository's, which is only read: write in a clone, with [build] prompts set to it"
        )
    for id, content in contents.items():
        file = Path(settings.build.prompts, _path(id, suffix))
        try:
            file.write_bytes(content)
        except OSError as error:
            raise CasesError(f"{file} cannot be written: {error.strerror}") from error


def _path(id: str, suffix: str) -> str:
    return f"{TEMPLATES}/{id}{suffix}"
