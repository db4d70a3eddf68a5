import pytest
from hypothesis import given
from hypothesis import strategies as st

from sprachbund.data.importers.symbols import text_of_letters, text_of_symbols

WORDS = st.lists(
    st.text(st.characters(codec="ascii", categories=["L"]), min_size=1, max_size=8), min_size=1, max_size=5
)


@pytest.mark.parametrize(
    ("symbols", "text"),
    [
        ("▁he ll o ▁there", "hello there"),
        ("▁ H I ▁ Y O U", "HI YOU"),
        ("he@@ ll@@ o there", "hello there"),
        ("he@@ llo the@@", "hello the"),
        ("H I | Y O U |", "HI YOU"),
        ("H <unk> |", "H<unk>"),
        ("plain words", "plain words"),
        ("13 1234 7", "13 1234 7"),
        ("a | bc", "a | bc"),
        ("", ""),
    ],
)
def test_pieces_become_text(symbols: str, text: str) -> None:
    assert text_of_symbols(symbols.split()) == text


@given(words=WORDS)
def test_every_way_of_cutting_words_is_undone(words: list[str]) -> None:
    text = " ".join(words)
    letters = " ".join([*text.replace(" ", "|"), "|"]).split()
    assert text_of_letters(letters) == text
    assert text_of_symbols(letters) == text
    assert text_of_symbols([*("▁" + text.replace(" ", "▁"))]) == text
    assert text_of_symbols([piece for word in words for piece in [f"{c}@@" for c in word[:-1]] + [word[-1]]]) == text
