"""Real parts: MiniLM from its wheel, FAISS, and the sample collection built once a session."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from retrieval.collection import Collection
from retrieval.embed import Embedder
from retrieval.ingest import build

DOCUMENTS = Path(__file__).parents[2] / "documents"


@pytest.fixture(scope="session")
def embedder() -> Iterator[Embedder]:
    embedder = Embedder()
    yield embedder
    embedder.close()


@pytest.fixture(scope="session")
def samples(embedder: Embedder, tmp_path_factory: pytest.TempPathFactory) -> Collection:
    target = tmp_path_factory.mktemp("samples") / "docs"
    build(DOCUMENTS, target, embedder, lambda progress: None)
    return Collection.load(target, embedder.identity)


@pytest.fixture
def pdf() -> Callable[[list[str]], bytes]:
    """Makes a PDF with one line of text on each page."""
    return _pdf


def _pdf(lines: list[str]) -> bytes:
    kids = " ".join(f"{4 + 2 * page} 0 R" for page in range(len(lines)))
    objects = [
        "<< /Type /Catalog /Pages 2 0 R >>",
        f"<< /Type /Pages /Kids [{kids}] /Count {len(lines)} >>",
        "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    ]
    for page, line in enumerate(lines):
        drawn = f"BT /F1 12 Tf 72 720 Td ({line}) Tj ET"
        objects.append(
            f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents {5 + 2 * page} 0 R"
            " /Resources << /Font << /F1 3 0 R >> >> >>"
        )
        objects.append(f"<< /Length {len(drawn)} >>\nstream\n{drawn}\nendstream")
    return _assembled(objects)


def _assembled(objects: list[str]) -> bytes:
    body, offsets = "%PDF-1.4\n", []
    for number, content in enumerate(objects, 1):
        offsets.append(len(body))
        body += f"{number} 0 obj\n{content}\nendobj\n"
    table = "".join(f"{offset:010} 00000 n \n" for offset in offsets)
    size = len(objects) + 1
    trailer = f"trailer\n<< /Size {size} /Root 1 0 R >>\nstartxref\n{len(body)}\n%%EOF\n"
    return f"{body}xref\n0 {size}\n0000000000 65535 f \n{table}{trailer}".encode()
