from retrieval.document import MAX_HEADING, Block, Facts, Mark, outline


def test_headings_nest_by_level_and_offsets_point_at_the_text() -> None:
    text = "intro\nONE\n one \nTWO\ntwo\nDEEP\ndeep\nTHREE\n  \nFOUR\nfour"
    levels = {"ONE": 1, "TWO": 2, "DEEP": 4, "THREE": 3, "FOUR": 2}
    marks = [Mark(level, name, text.index(name), text.index(name) + len(name)) for name, level in levels.items()]
    document = outline("x/name.md", text, marks)
    assert document.title == "ONE"
    assert [(section.heading_path, section.text) for section in document.sections] == [
        (("ONE",), "intro"),
        (("ONE",), "one"),
        (("ONE", "TWO"), "two"),
        (("ONE", "TWO", "DEEP"), "deep"),
        (("ONE", "FOUR"), "four"),
    ]
    assert all(text[section.start :].startswith(section.text) for section in document.sections)


def test_the_title_falls_back_to_what_the_format_knows_and_to_the_name() -> None:
    assert outline("x/name.md", "text", [], Facts("Known")).title == "Known"
    assert outline("x/name.md", "text", []).title == "name"
    assert len(outline("name.md", "text", [Mark(1, "long" * 1000, 0, 0)]).title) == MAX_HEADING


def test_a_section_has_the_blocks_within_it_without_the_white_space_at_its_ends() -> None:
    text = "A\n\n  code\n\nB\ntext\n\nrow\nrow\n"
    marks = [Mark(1, "A", 0, 2), Mark(1, "B", 11, 13)]
    blocks = [Block("code", 3, 10), Block("table", text.index("row"), len(text), text.index("row") + 4)]
    first, second = outline("x", text, marks, Facts(), blocks).sections
    assert [text[block.start : block.end] for block in first.blocks] == ["code"]
    assert [(text[block.start : block.end], text[block.start : block.head]) for block in second.blocks] == [
        ("row\nrow", "row\n")
    ]
