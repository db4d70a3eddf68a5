import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import importing
import tiny
from sprachbund.data.importers.alignments import timed
from sprachbund.data.importers.textgrid import read_textgrid
from sprachbund.errors import DataError

LONG = '''File type = "ooTextFile"
Object class = "TextGrid"

xmin = 0
xmax = 0.4
tiers? <exists>
size = 3
item []:
    item [1]:
        class = "IntervalTier"
        name = "words"
        xmin = 0
        xmax = 0.4
        intervals: size = 3
        intervals [1]:
            xmin = 0
            xmax = 0.1
            text = ""
        intervals [2]:
            xmin = 0.1
            xmax = 0.25
            text = "ab"
        intervals [3]:
            xmin = 0.25
            xmax = 0.4
            text = "say ""ba"" = 2"
    item [2]:
        class = "TextTier"
        name = "events"
        xmin = 0
        xmax = 0.4
        points: size = 1
        points [1]:
            number = 0.2
            mark = "click"
    item [3]:
        class = "IntervalTier"
        name = "anna - phones"
        xmin = 0
        xmax = 0.4
        intervals: size = 1
        intervals [1]:
            xmin = 0.1
            xmax = 0.25
            text = "AE1"
'''  # fmt: skip
# The same file in Praat's short form.
SHORT = """File type = "ooTextFile"
Object class = "TextGrid"

0
0.4
<exists>
3
"IntervalTier"
"words"
0
0.4
3
0
0.1
""
0.1
0.25
"ab"
0.25
0.4
"say ""ba"" = 2"
"TextTier"
"events"
0
0.4
1
0.2
"click"
"IntervalTier"
"anna - phones"
0
0.4
1
0.1
0.25
"AE1"
"""
EXPECTED = {
    "word": [timed("ab", 0.1, 0.15), timed('say "ba" = 2', 0.25, 0.15)],
    "phone": [timed("AE1", 0.1, 0.15)],
}


@pytest.mark.parametrize("form", [LONG, SHORT], ids=["long", "short"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("end", ["\n", "\r\n"], ids=["unix", "dos"])
def test_every_form_is_read(tmp_path: Path, form: str, encoding: str, end: str) -> None:
    importing.write_files(tmp_path, {"a.TextGrid": form.replace("\n", end).encode(encoding)})
    assert read_textgrid(tmp_path / "a.TextGrid") == EXPECTED


def test_a_folder_of_grids_is_laid_over_a_manifest(tmp_path: Path) -> None:
    manifest = tiny.write_corpus(tmp_path / "tiny", 2)
    importing.write_files(tmp_path / "grids", {"anna/clip-000.TextGrid": SHORT, "bert/other.TextGrid": LONG})
    [report] = importing.run("textgrid", tmp_path / "grids", tmp_path / "out", manifest=manifest)
    assert report.notes == (
        "left out: 1 alignments without a clip (other)",
        "kept: 1 without alignment (clip-001)",
    )
    cuts = importing.imported("textgrid", tmp_path / "grids", tmp_path / "out", manifest=manifest)
    assert cuts["clip-000"].supervisions[0].alignment == EXPECTED
    assert cuts["clip-001"].supervisions[0].alignment is None
    importing.write_files(tmp_path / "grids", {"bert/clip-000.TextGrid": SHORT})
    with pytest.raises(DataError, match=r"two TextGrids have one name in .*bert/clip-000.TextGrid"):
        importing.run("textgrid", tmp_path / "grids", tmp_path / "out", manifest=manifest)
    with pytest.raises(DataError, match="there is no TextGrid"):
        importing.run("textgrid", tmp_path / "tiny", tmp_path / "out", manifest=manifest)


def test_speakers_share_a_tier_in_the_order_of_time(tmp_path: Path) -> None:
    second = SHORT[SHORT.index('"IntervalTier"\n"anna') :].replace("anna", "bert").replace("0.1\n0.25", "0\n0.05")
    importing.write_files(tmp_path, {"a.TextGrid": SHORT.replace(">\n3\n", ">\n4\n") + second})
    assert read_textgrid(tmp_path / "a.TextGrid")["phone"] == [timed("AE1", 0, 0.05), timed("AE1", 0.1, 0.15)]


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("", "cut short in .*a.TextGrid, line 1"),
        (SHORT[:120], "cut short"),
        (LONG.replace("TextGrid", "Sound"), "no TextGrid in text form in .*line 2"),
        (b"ooBinaryFile\x08TextGrid\xff\xff", "neither UTF-8 nor UTF-16"),
        (LONG.encode("utf-16")[:-1], "neither UTF-8 nor UTF-16"),
        (SHORT.replace(">\n3\n", ">\n-3\n"), "a count is wanted, and there is -3.0"),
        (SHORT.replace(">\n3\n", ">\n2.5\n"), "a count is wanted, and there is 2.5"),
        (SHORT.replace("0.25\n0.4", "0.25\n0.2"), r"an interval ends before it starts \(0.25 to 0.2\)"),
        (SHORT.replace("0.25\n0.4", "0.25\n1e999"), "a number is wanted, and there is 1e999"),
        (SHORT.replace("0.25\n0.4", "nan\n0.4"), 'a number is wanted, and there is "say'),
        (SHORT.replace("TextTier", "Lexicon"), "unknown kind Lexicon in .*line 22"),
        (SHORT.replace("<exists>", "3"), "a flag is wanted, and there is 3"),
        (SHORT.replace('"words"', "12"), "a text is wanted, and there is 12"),
    ],
)
def test_malformed_grids(tmp_path: Path, content: str | bytes, told: str) -> None:
    importing.write_files(tmp_path, {"a.TextGrid": content})
    with pytest.raises(DataError, match=told):
        read_textgrid(tmp_path / "a.TextGrid")


def test_a_grid_may_be_empty(tmp_path: Path) -> None:
    importing.write_files(tmp_path, {"a.TextGrid": SHORT[:69].replace("<exists>", "<absent>")})
    assert read_textgrid(tmp_path / "a.TextGrid") == {}


PIECES = re.findall(r".*\n", SHORT)


@settings(deadline=None, max_examples=100)
@given(
    content=importing.contents('"IntervalTier"', '"words"', " 0 ", " 1.5 ", "<exists>")
    | st.lists(st.sampled_from([*PIECES, *PIECES[:8], "3\n", "1e999\n", '"\n']), max_size=30).map(
        lambda parts: "".join([*PIECES[:3], *parts]).encode()
    )
)
def test_any_file_gives_items_or_an_error_of_ours(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "fuzz.TextGrid"
    path.write_bytes(content)
    importing.items_or_error(lambda: read_textgrid(path).items())
