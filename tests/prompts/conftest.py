"""A repository for each test."""

from pathlib import Path

import pytest

from tests.prompts.folders import Folder


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)
