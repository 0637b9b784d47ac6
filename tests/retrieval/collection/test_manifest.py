import json
from dataclasses import replace
from pathlib import Path

import pytest

from retrieval.collection import digests, manifest
from retrieval.collection.manifest import Known, Manifest, Part

SAMPLE = Manifest(
    embedder="mini@1",
    dimensions=16,
    language="en",
    documents=2,
    passages=9,
    left_out=1,
    built_by={"parser": "1"},
    created="2026-01-01T00:00:00+00:00",
    parts=(Part("0", 0, 6, "flat", 1.0), Part("1", 6, 4, "flat", 1.0)),
    known=Known((0,), (0, 7)),
    files={"0.passages.db": "1f", "lexical/.managed.json": "2f"},
)


def put(path: Path, **changes: object) -> Path:
    """A manifest whose digest is right, whatever it says."""
    (path / "x").mkdir()
    manifest.write(path / "x", SAMPLE)
    facts = {**json.loads((path / "x" / "manifest.json").read_text()), **changes}
    (path / "x" / "manifest.json").write_text(json.dumps(facts))
    return (path / "x").rename(path / digests.of_json(facts)[:16])


def test_what_was_written_is_read(tmp_path: Path) -> None:
    assert manifest.read(put(tmp_path)) == manifest.write(tmp_path, SAMPLE)
    assert SAMPLE.rows == 10


def test_the_version_is_a_digest_of_the_rest(tmp_path: Path) -> None:
    one, same = manifest.write(tmp_path, SAMPLE), manifest.write(tmp_path, replace(SAMPLE, version="x"))
    other = manifest.write(tmp_path, replace(SAMPLE, created="2026-01-02T00:00:00+00:00"))
    assert one.version == same.version != other.version


def test_every_flipped_bit_is_found(tmp_path: Path) -> None:
    folder = put(tmp_path)
    path, good = folder / "manifest.json", manifest.read(folder)
    whole = path.read_bytes()
    for at in range(len(whole)):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ (1 << at % 8)]) + whole[at + 1 :])
        try:
            assert manifest.read(folder) == good  # white space that says the same
        except ValueError:
            continue


@pytest.mark.parametrize("name", ["../x", "/etc/passwd", "a/../b", "..", ".hidden", "a/b/c", "a//b", "", "a/.."])
def test_a_file_out_of_its_folder_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match="names a file out of its folder"):
        manifest.read(put(tmp_path, files={name: "1f"}))


@pytest.mark.parametrize("number", [1, 3, None, "2"])
def test_another_format_is_refused(tmp_path: Path, number: object) -> None:
    with pytest.raises(ValueError, match="format is not 2"):
        manifest.read(put(tmp_path, format=number))


@pytest.mark.parametrize("content", ["[]", "null", '"x"', "{", "", "{}", "\0", '{"format": 2}'])
def test_a_manifest_of_another_kind_is_refused(tmp_path: Path, content: str) -> None:
    folder = put(tmp_path)
    (folder / "manifest.json").write_text(content)
    with pytest.raises(ValueError):  # noqa: PT011  # JSON's own, or ours
        manifest.read(folder)
