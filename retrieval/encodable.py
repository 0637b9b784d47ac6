"""Text as UTF-8 can carry it. JSON and a font's faulty table can give lone surrogates, which no
tokenizer and no server takes."""


def encodable(text: str) -> str:
    """Lone surrogates become question marks; all other text stays as it is."""
    return text.encode("utf-8", "replace").decode()
