"""Damage: found before anything is served, and what was good before it serves."""

import random
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from retrieval.collection import (
    Collection,
    CorruptCollection,
    Manifest,
    NoCollection,
    WrongEmbedder,
    load_last_good,
    rollback,
)
from tests.retrieval.collection.made import EMBEDDER, check, documents, loaded, written

SOME = [f"d{number}" for number in range(10)]
Damage = Callable[[Path, random.Random], None]


def flip(path: Path, at: random.Random) -> None:
    """One bit."""
    whole = bytearray(path.read_bytes())
    whole[at.randrange(len(whole))] ^= 1 << at.randrange(8)
    path.write_bytes(whole)


def cut(path: Path, at: random.Random) -> None:
    whole = path.read_bytes()
    path.write_bytes(whole[: at.randrange(len(whole))])


def zero(path: Path, at: random.Random) -> None:
    path.write_bytes(bytes(path.stat().st_size))


def delete(path: Path, at: random.Random) -> None:
    path.unlink()


def swap(path: Path, at: random.Random) -> None:
    """With another file of the version."""
    others = [other for other in path.parent.iterdir() if other.is_file() and other != path]
    other = at.choice([one for one in others if one.read_bytes() != path.read_bytes()])
    held, kept = path.read_bytes(), other.read_bytes()
    path.write_bytes(kept)
    other.write_bytes(held)


DAMAGES = (flip, cut, zero, delete, swap)


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A collection of two versions; the second has two parts and removed rows."""
    path = tmp_path_factory.mktemp("two") / "docs"
    written(path, [*SOME, "large"], count=20)
    assert len(written(path, ["new"], remove=["d0"], count=1).parts) == 2
    return path


def files(path: Path) -> list[str]:
    """Every file of the current version, by its path from the collection."""
    version = path / loaded(path).version
    return sorted(str(file.relative_to(path)) for file in version.rglob("*") if file.is_file())


def copied(two: Path, tmp_path: Path, number: int = 0) -> Path:
    return Path(shutil.copytree(two, tmp_path / str(number) / "docs"))


def is_refused_and_the_version_before_serves(path: Path, name: str, damage: Damage, at: random.Random) -> None:
    whole = (path / name).read_bytes()
    version = loaded(path).version
    damage(path / name, at)
    if damage is not delete and (path / name).read_bytes() == whole:
        return  # zeros were put over zeros
    with pytest.raises(
        CorruptCollection, match=f"'docs' cannot be read: version {version}.*tollgate index build"
    ) as no:
        loaded(path)
    good = load_last_good(path, EMBEDDER)
    assert (good.collection.version != version, documents(good.collection)) == (True, {*SOME, "large"})
    assert str(good.passed_over[0]) == str(no.value)


@pytest.mark.parametrize("damage", DAMAGES)
def test_damage_to_any_kind_of_file_is_found(two: Path, tmp_path: Path, damage: Damage) -> None:
    at = random.Random(1)
    names = files(two)
    for number, name in enumerate(names[:: len(names) // 6]):
        is_refused_and_the_version_before_serves(copied(two, tmp_path, number), name, damage, at)


@pytest.mark.prove
def test_of_120_corruptions_of_all_files_none_is_served(two: Path, tmp_path: Path) -> None:
    at, names = random.Random(2), files(two)
    for number in range(max(120, len(names) * len(DAMAGES))):
        name, damage = names[number % len(names)], DAMAGES[number // len(names) % len(DAMAGES)]
        path = copied(two, tmp_path, number)
        is_refused_and_the_version_before_serves(path, name, damage, at)
        shutil.rmtree(path)


def test_it_says_which_file_is_damaged(two: Path, tmp_path: Path) -> None:
    path = copied(two, tmp_path)
    delete(path / loaded(path).version / "1.vectors.faiss", random.Random(3))
    with pytest.raises(CorruptCollection, match=r"1\.vectors\.faiss"):
        loaded(path)
    path = copied(two, tmp_path, 1)
    flip(path / loaded(path).version / "removed.npy", random.Random(3))
    with pytest.raises(CorruptCollection, match=r"removed\.npy was altered .* bytes"):
        loaded(path)


@pytest.mark.parametrize("content", [b"", b"\0" * 17, b"0123456789abcdef\n", b"../../../etc\n", b"\xff" * 40, None])
def test_a_damaged_pointer_is_found_and_the_newest_version_serves(
    two: Path, tmp_path: Path, content: bytes | None
) -> None:
    path = copied(two, tmp_path)
    version = loaded(path).version
    (path / "CURRENT").unlink()
    if content is not None:
        (path / "CURRENT").write_bytes(content)
    with pytest.raises(CorruptCollection, match=r"CURRENT|0123456789abcdef"):
        loaded(path)
    assert load_last_good(path, EMBEDDER).collection.version == version
    assert rollback(path).version == version == loaded(path).version


def test_a_version_that_is_gone_is_found(two: Path, tmp_path: Path) -> None:
    path = copied(two, tmp_path)
    shutil.rmtree(path / loaded(path).version)
    with pytest.raises(CorruptCollection):
        loaded(path)
    assert documents(load_last_good(path, EMBEDDER).collection) == {*SOME, "large"}


def test_what_is_whole_is_not_passed_over(two: Path) -> None:
    good = load_last_good(two, EMBEDDER)
    assert (good.collection.version, good.passed_over) == (loaded(two).version, ())
    check(good.collection)


def test_when_all_are_damaged_none_serves(two: Path, tmp_path: Path) -> None:
    path = copied(two, tmp_path)
    for name in path.glob("*/manifest.json"):
        name.write_text("{}")
    with pytest.raises(CorruptCollection):
        load_last_good(path, EMBEDDER)


def test_another_embedder_is_not_passed_over(two: Path) -> None:
    with pytest.raises(WrongEmbedder):
        load_last_good(two, "other@1")
    with pytest.raises(NoCollection):
        load_last_good(two / "nothing", EMBEDDER)


def damaged(path: Path) -> Manifest:
    """A collection whose current version is damaged; the manifest of the one before."""
    good = written(path, ["a", "b"])
    (path / written(path, ["c"]).version / "lexical" / "meta.json").write_text("{}")
    return good


def test_a_writer_builds_on_the_last_good_version(tmp_path: Path) -> None:
    good = damaged(tmp_path)
    written(tmp_path, ["d"])
    assert documents(loaded(tmp_path)) == {"a", "b", "d"}
    assert rollback(tmp_path).version == good.version
    check(loaded(tmp_path))


def test_rollback_leaves_a_damaged_version(tmp_path: Path) -> None:
    good = damaged(tmp_path)
    assert rollback(tmp_path) == good
    check(loaded(tmp_path))


def test_a_damaged_version_does_not_harm_the_one_it_was_made_from(tmp_path: Path) -> None:
    first = written(tmp_path, [f"d{number}" for number in range(30)])
    second = written(tmp_path, ["new"], count=1)
    for path in (tmp_path / second.version).rglob("*.*"):
        path.write_bytes(b"in place")
    assert Collection.open(tmp_path, first.version, EMBEDDER).version == first.version
