from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sprachbund.errors import DataError, SprachbundError
from sprachbund.models.ngram.arpa import read_arpa
from sprachbund.models.ngram.arpa_lines import ArpaLines

SOUND = """\\data\\
ngram 1=3
ngram 2=1

\\1-grams:
-1\t<s>\t-0.5
-1\t</s>
-1.5\ta\t0.25

\\2-grams:
-0.5\ta a

\\end\\
what stands behind the end is not read
"""


def written(folder: Path, content: bytes) -> Path:
    path = folder / "m.arpa"
    path.write_bytes(content)
    return path


def test_numbers_and_words_by_section(tmp_path: Path) -> None:
    lines = ArpaLines(written(tmp_path, SOUND.encode()))
    assert list(lines.ids) == [b"<s>", b"</s>", b"a"]
    one, two = lines.sections
    assert (one.ids.tolist(), one.log_probs.tolist(), one.backoffs.tolist()) == (
        [0, 1, 2],
        [-1, -1, -1.5],
        [-0.5, 0, 0.25],
    )
    assert (two.ids.tolist(), two.log_probs.tolist(), two.lines.tolist()) == ([2, 2], [-0.5], [11])


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("\\data\\", "data", r"no \\data\\.*line 14"),
        ("ngram 2=1", "ngram 3=1", "lengths do not run.*line 3.*ngram 3=1"),
        ("ngram 2=1", "ngram two", "says no count.*line 3"),
        ("ngram 1=3", "ngram 1=4", r"number of 1-grams.*line 10 \(given: 3, the header says 4\)"),
        ("ngram 2=1", "ngram 2=0", r"number of 2-grams.*line 13 \(given: 1, the header says 0\)"),
        ("ngram 2=1", "ngram 2=1\nngram 3=0\nngram 4=2", "number of 4-grams"),
        ("\\1-grams:", "\\2-grams:", "not in the order.*line 5"),
        ("\\2-grams:", "\\3-grams:", "not in the order.*line 10"),
        ("-1\t</s>", "-1", "a line is not a number, 1 words.*line 7"),
        ("-0.5\ta a", "-0.5\ta a a a", "a line is not a number, 2 words.*line 11"),
        ("-0.5\ta a", "-0.5\ta b", r"not among the 1-grams.*line 11 \(given: b\)"),
        ("-1.5\ta", "0.5\ta", r"a probability is no base-10 logarithm.*line 8 \(given: 0.5\)"),
        ("-1.5\ta", "nan\ta", "a probability is no base-10 logarithm.*line 8"),
        ("-1.5\ta", "minus\ta", "a probability is no base-10 logarithm.*line 8"),
        ("\t0.25", "\tinf", "a backoff is no base-10 logarithm.*line 8"),
        (SOUND[SOUND.index("\\end") :], "", r"ends before \\end\\"),
        (SOUND, "", r"no \\data\\"),
        (SOUND, "\\data\\\nngram 1=3\n", "the file has no n-grams"),
    ],
)
def test_bad_lines_are_told_with_their_number(tmp_path: Path, old: str, new: str, told: str) -> None:
    assert old in SOUND
    with pytest.raises(DataError, match=f"(?s){told}"):
        ArpaLines(written(tmp_path, SOUND.replace(old, new, 1).encode()))


@given(st.integers(0, len(SOUND) - 1), st.binary(max_size=4), st.integers(0, 5))
@settings(deadline=None, max_examples=150)
def test_no_damage_ends_in_anything_but_a_sentence(tmp_path_factory, place: int, put: bytes, cut: int) -> None:
    content = SOUND.encode()
    path = written(tmp_path_factory.mktemp("arpa"), content[:place] + put + content[place + cut :])
    try:
        read_arpa(path)
    except SprachbundError as error:
        assert str(path) in str(error)


@pytest.mark.parametrize("content", [b"not gzip", b"\x1f\x8b\x08\x00cut"])
def test_damaged_gzip_files_are_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "m.arpa.gz").write_bytes(content)
    with pytest.raises(DataError, match="cannot be read"):
        ArpaLines(tmp_path / "m.arpa.gz")
    with pytest.raises(DataError, match="does not exist"):
        ArpaLines(tmp_path / "none.arpa")


def test_endless_lines_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="line 7"):
        ArpaLines(written(tmp_path, SOUND.replace("</s>", "a" * (2 << 20)).encode()))
