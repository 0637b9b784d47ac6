"""Real parts of the gateway's tests: a small collection of the sample pages, and gateways put together around it."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from retrieval.embed import Embedder
from retrieval.ingest import build
from tests.fakes.background import running
from tests.gateway.assembled import ROOT, Assembled, assembled

PAGES = ("kv-cache", "prefix-cache", "tokens", "streaming", "temperature", "tenants")

Make = Callable[..., Assembled]


@pytest.fixture(scope="session")
def docs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A collection of six sample pages, on disk."""
    folder = tmp_path_factory.mktemp("collection")
    source = folder / "pages"
    source.mkdir()
    for page in PAGES:
        shutil.copy(ROOT / "documents" / f"{page}.md", source)
    embedder = Embedder()
    build(source, folder / "docs", embedder, lambda progress: None)
    embedder.close()
    return folder / "docs"


@pytest.fixture(scope="session")
def prompts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The real library, with the tests' own templates beside its own."""
    folder = tmp_path_factory.mktemp("prompts")
    for source in (ROOT / "prompts" / "templates", Path(__file__).parent / "templates"):
        shutil.copytree(source, folder / "templates", dirs_exist_ok=True)
    shutil.copytree(ROOT / "prompts" / "partials", folder / "partials")
    return folder


@pytest.fixture(scope="session")
def core(docs: Path, prompts: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Assembled]:
    """The gateway that most tests share; each call is of a tenant of its own."""
    sections: dict[str, Any] = {"retrieve": {"docs": {"path": docs}}, "build": {"prompts": prompts}}
    with running(assembled(tmp_path_factory.mktemp("core"), **sections)) as gateway:
        yield gateway


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    """Makes a gateway of its own for one test, with the sections given."""
    with ExitStack() as stack:

        def made(folder: Path = tmp_path, **sections: Any) -> Assembled:
            return stack.enter_context(running(assembled(folder, **sections)))

        yield made
