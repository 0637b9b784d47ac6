"""Where versions come from: what the settings say, and what a folder and an engine have to give."""

from pathlib import Path

import pytest

from gateway.settings import Retrieve, SettingsError
from gateway.versions import InFolder, Published, versions
from retrieval.collection import CorruptCollection, NoCollection, WrongEmbedder
from retrieval.protocols import IndexUnavailable
from retrieval.weights import MINILM
from tests.fakes.background import running
from tests.fakes.raw import raw_server
from tests.gateway.engines import AWAY, Scripted
from tests.gateway.made import Page, made

PAGES = {"one.md": Page("The first page is about apples.")}


def test_a_folder_names_its_current_version_and_falls_back_to_an_older_one(tmp_path: Path) -> None:
    folder = InFolder(tmp_path)
    assert folder.named() is None
    first = made(tmp_path, PAGES).version
    assert (folder.named(), folder.newest(MINILM.identity).index.version) == (first, first)
    second = made(tmp_path, PAGES | {"two.md": Page("The second one.")}).version
    (tmp_path / second / "manifest.json").unlink()
    assert folder.named() == second
    with pytest.raises(CorruptCollection):
        folder.newest(MINILM.identity)
    good = folder.good(MINILM.identity)
    assert (good.index.version, second in (good.passed_over or "")) == (first, True)


@pytest.mark.filterwarnings("ignore:Api key is used with an insecure connection")
def test_an_engine_names_what_was_published_under_the_name_in_the_settings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOLLGATE_TEST_KEY", "the secret")
    scripted = Scripted()
    with running(raw_server(scripted)) as server:
        section = Retrieve(path=tmp_path, engine=server.url, engine_key_env="TOLLGATE_TEST_KEY")
        kept, other = versions("docs", section), versions("other", section)
        assert (kept.named(), other.named()) == ("v1", None)
        assert b"api-key: the secret" in server.asked[-1].head
        loaded = kept.good(MINILM.identity)
        assert (loaded.index.name, loaded.index.version, len(loaded.index), loaded.passed_over) == (
            "docs",
            "v1",
            3,
            None,
        )
        with pytest.raises(NoCollection, match="tollgate index publish"):
            other.newest(MINILM.identity)
        with pytest.raises(WrongEmbedder):
            kept.newest("another")
        scripted.fault = AWAY
        for ask in (kept.named, lambda: kept.newest(MINILM.identity)):
            with pytest.raises(IndexUnavailable):
                ask()
        kept.close()
        other.close()


def test_the_settings_say_which(tmp_path: Path) -> None:
    assert isinstance(versions("docs", Retrieve(path=tmp_path)), InFolder)
    engine = Retrieve(path=tmp_path, engine="http://127.0.0.1:1")
    assert isinstance(versions("docs", engine), Published)
    with pytest.raises(SettingsError, match="TOLLGATE_TEST_ABSENT is not set"):
        versions("docs", engine.model_copy(update={"engine_key_env": "TOLLGATE_TEST_ABSENT"}))
