"""What tests see of a document."""

from retrieval.document import Document


def sections(document: Document) -> list[tuple[str, str]]:
    """Heading path and text of each section, its place in the text checked."""
    for section in document.sections:
        assert document.text[section.start :].startswith(section.text)
    return [(" > ".join(section.heading_path), section.text) for section in document.sections]


def blocks(document: Document) -> list[tuple[str, str, str]]:
    """Kind, first row of a table, and text of each block."""
    found = [block for section in document.sections for block in section.blocks]
    return [(one.kind, document.text[one.start : one.head], document.text[one.start : one.end]) for one in found]
