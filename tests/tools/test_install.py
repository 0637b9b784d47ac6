"""The installer: it does nothing twice, starts over what was interrupted, and says what to do when it fails."""

from pathlib import Path

import pytest

from tools.install import HINTS, Environment, InstallError, hint, install

EMPTY = Environment("test", ".venv", "lock.txt", 0)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "lock.txt").write_text("# nothing to install\n")
    return tmp_path


def test_a_second_run_does_nothing(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    install(EMPTY, root)
    assert (root / ".venv/bin/python").exists()
    assert "ready in" in capsys.readouterr().err
    install(EMPTY, root)
    assert capsys.readouterr().err == ""


def test_what_was_interrupted_is_made_anew(root: Path) -> None:
    left_over = root / ".venv" / "half-installed"
    left_over.parent.mkdir()
    left_over.touch()
    install(EMPTY, root)
    assert not left_over.exists()


def test_another_lock_is_installed_in_place(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    install(EMPTY, root)
    (root / ".venv" / "kept").touch()
    (root / "lock.txt").write_text("# still nothing\n")
    capsys.readouterr()
    install(EMPTY, root)
    assert "ready in" in capsys.readouterr().err
    assert (root / ".venv" / "kept").exists()


def test_an_environment_that_was_moved_is_made_anew(root: Path) -> None:
    install(EMPTY, root)
    moved = root.with_name(f"{root.name}-moved")
    root.rename(moved)
    install(EMPTY, moved)
    assert str(moved) in (moved / ".venv/bin/pip").read_text().splitlines()[0]


def test_a_failure_says_what_to_do_and_leaves_no_stamp(root: Path) -> None:
    (root / "lock.txt").write_text("torch==0.0.0+absent --hash=sha256:" + "0" * 64 + "\n")
    with pytest.raises(InstallError, match="PyTorch's CPU build is not where pip looks"):
        install(Environment("test", ".venv", "lock.txt", 0, ("--no-index",)), root)
    assert not (root / ".venv/.installed").exists()


def test_a_full_disk_is_said_before_it_is_filled(root: Path) -> None:
    with pytest.raises(InstallError, match="needs about 1000000000 GB"):
        install(Environment("test", ".venv", "lock.txt", 10**9), root)


@pytest.mark.parametrize(
    ("log", "said"),
    [
        ("ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device", "disk is full"),
        ("ERROR: Could not find a version that satisfies the requirement torch==2.13.0+cpu", "PyTorch's CPU build"),
        ("ERROR: Could not find a version that satisfies the requirement rich==15", "package index"),
        ("ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE", "Python 3.11"),
        ("Max retries exceeded ... NewConnectionError: Failed to establish a new connection", "cannot be reached"),
        ("something new", "above"),
    ],
)
def test_pips_own_words_become_advice(log: str, said: str) -> None:
    assert said in hint(log)


def test_the_more_telling_hint_comes_first() -> None:
    words = [words for words, _ in HINTS]
    assert words.index("satisfies the requirement torch==") < words.index("satisfies the requirement")
