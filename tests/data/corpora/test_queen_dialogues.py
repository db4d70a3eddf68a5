from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sprachbund.data.corpora.queen_container import QueenContainer
from sprachbund.data.corpora.queen_dialogues import QueenLine, read_comments, read_cutaway, read_dialogue
from sprachbund.errors import CorpusError

JOES = [(0, "Hi*24there"), (6, "At least*00"), (0x1F, "*XY1234567890aMore")]
OTHERS = [(6, "You're asking.*14*FR?"), (7, "")]


def segments(text: str) -> list[tuple[str, str]]:
    return list(QueenLine(" 2   6J", text, None, "g", "DOG", "f").segments())


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Alone", [("020006J1.SB", "Alone")]),
        ("One*00two*14", [("020006J1.SB", "One"), ("020006J2.SB", "two")]),
        ("*00*AO  *WTfour", [("020006J4.SB", "four")]),
        ("*XY01234567890after", [("020006J2.SB", "after")]),
        ("*24" * 10 + "x", [("020006JB.SB", "x")]),
        ("cut*0", [("020006J1.SB", "cut")]),
        ("", []),
    ],
)
def test_commands_end_segments_and_empty_ones_count(text: str, expected: list[tuple[str, str]]) -> None:
    assert segments(text) == expected


@given(
    st.lists(st.text("abc .", max_size=5), min_size=1, max_size=14), st.sampled_from(["*00", "*FR", "*XY-----------"])
)
def test_segments_are_the_text_between_commands(parts: list[str], command: str) -> None:
    said = [(int(name[7], 16) - 1, text) for name, text in segments(command.join(parts))]
    assert said == [(place, part) for place, part in enumerate(parts) if part.strip()]


def test_a_dialogue_names_its_clips(build_dialogue: Callable[..., bytes]) -> None:
    lines = read_dialogue("BOB2.DOG", build_dialogue(7, JOES, OTHERS, ("Hello again Joe.", "Bye*03")))
    said = {name: (text, line.speaker) for line in lines for name, text in line.segments()}
    assert said == {
        "07SSSSJ1.SB": ("Hi", "JOE"),
        "07SSSSJ2.SB": ("there", "JOE"),
        "070000J1.SB": ("Hi", "JOE"),
        "070000J2.SB": ("there", "JOE"),
        "070006J1.SB": ("At least", "JOE"),
        "07001FJ2.SB": ("More", "JOE"),
        "070006P1.SB": ("You're asking.", "BOB"),
        "070006P3.SB": ("?", "BOB"),
        "07XXXXP1.SB": ("Hello again Joe.", "BOB"),
        "07XXXXJ1.SB": ("Bye", "JOE"),
    }
    assert {(line.group, line.source, line.file) for line in lines} == {("BOB2", "DOG", "BOB2.DOG")}


def test_damaged_dialogues_are_told(build_dialogue: Callable[..., bytes]) -> None:
    content = build_dialogue(7, JOES, OTHERS, ("Hello again Joe.", "Bye"))
    for keep in range(0, len(content) - 8, 3):
        with pytest.raises(CorpusError, match="BOB"):
            read_dialogue("BOB.DOG", content[:keep])
    wrong_end = content[:42] + (int.from_bytes(content[42:44], "big") + 2).to_bytes(2, "big") + content[44:]
    with pytest.raises(CorpusError, match="does not end where it should"):
        read_dialogue("BOB.DOG", wrong_end)


@pytest.mark.parametrize(
    ("name", "prefix", "group"),
    [("COMIC.CUT", "COMIC01", "COMIC"), ("C23B.CUT", "C23B_01", "C23"), ("c.CUT", "c____01", "c")],
)
def test_cutaways_number_their_sentences(
    build_cutaway: Callable[..., bytes], name: str, prefix: str, group: str
) -> None:
    lines = read_cutaway(name, build_cutaway(["Okay doll,*00", "", "Third"]))
    assert [(line.prefix[-2:], line.text) for line in lines] == [("01", "Okay doll,*00"), ("02", ""), ("03", "Third")]
    assert (lines[0].prefix, lines[0].group, lines[0].speaker) == (prefix, group, None)


def test_cutaways_may_end_early_but_not_within_a_sentence(build_cutaway: Callable[..., bytes]) -> None:
    content = build_cutaway(["Okay doll,*00", "Second"], objects=5)
    assert len(read_cutaway("COMIC.CUT", content)) == 2
    for keep in (0, 25, 33, len(content) - 3):
        with pytest.raises(CorpusError, match="COMIC"):
            read_cutaway("COMIC.CUT", content[:keep])


def test_comments_are_objects_from_41_and_stock_answers_before() -> None:
    texts = [f"line {number}" for number in range(1230)]
    lines = {line.prefix: line for line in read_comments("QUEEN2.JAS", "\r\n".join(texts).encode())}
    assert lines["JOE0041"].text == "line 0"
    assert lines["JOE0001"].text == "line 1187"
    assert lines["JOE0040"].text == "line 1226"
    assert (lines["JOE0040"].speaker, lines["JOE0040"].group) == ("JOE", "JOE0040")
    assert len(lines) == 40 + 1230


def test_the_lists_of_real_dialogues_end_where_they_should(real_queen_path: Path) -> None:
    container = QueenContainer(real_queen_path)
    prefixes = [
        {line.prefix[:2] for line in read_dialogue(name, container.read(name))} for name in container.names(".DOG")
    ]
    assert len(prefixes) == 73
    assert all(len(keys) == 1 for keys in prefixes)
    assert len(set.union(*prefixes)) == 73  # no key stands in two files
