import pytest
from hypothesis import given
from hypothesis import strategies as st

import tiny
from sprachbund.data.checking.texts import EXCERPT, Alphabet, TextRules, comparable, count_words, excerpt, is_misread
from sprachbund.tokens.text import SentencePieceTokenizer
from sprachbund.tokens.vocabulary import UNK


def kinds(text: str, **rules: object) -> list[str]:
    return [fault.kind for fault in TextRules(**rules).judge(text)]  # type: ignore[arg-type]


@pytest.mark.parametrize("text", ["", "  ", "...", "¿?", "'", "\t-- --"])
def test_texts_that_say_nothing(text: str):
    assert kinds(text, max_characters=1, held_out=comparable(["a"])) == ["empty-text"]


def test_long_texts():
    assert kinds("abcde", max_characters=5) == []
    assert kinds("abcdef", max_characters=5) == ["long-text"]


def test_characters_outside_the_vocabulary():
    alphabet = Alphabet(tiny.character_tokenizer())
    assert kinds("a bad  cab", alphabet=alphabet) == []
    (fault,) = TextRules(alphabet=alphabet).judge("a big|cab")
    assert fault.kind == "unknown-characters"
    assert fault.detail.startswith("'g' 'i' '|' in ")


@given(text=st.text(alphabet="abcdefxyz |é", max_size=12))
@pytest.mark.parametrize("make", [tiny.character_tokenizer, lambda: SentencePieceTokenizer.train(tiny.LINES)])
def test_unknown_characters_are_what_the_tokenizer_does_not_know(make: object, text: str):
    tokenizer = make()  # type: ignore[operator]
    assert bool(Alphabet(tokenizer).unknown(text)) == (UNK in tokenizer.encode(text))


@pytest.mark.parametrize("text", ["größer", "l'été", "год", "ĉiuj", "日本"])
def test_misread_texts(text: str):
    assert not is_misread(text)
    assert is_misread(text.encode().decode("latin-1"))
    assert is_misread(text.encode("latin-1", errors="replace").replace(b"?", b"\xff").decode(errors="replace"))
    assert kinds(text.encode().decode("latin-1") + " a") == ["wrong-encoding"]


def test_two_bytes_a_character_read_as_one():
    assert is_misread("plain text".encode("utf-16-le").decode("utf-8"))
    assert not is_misread("plain text")


def test_curly_quotes_read_as_windows_are_misread_too():
    assert is_misread("don\u2019t".encode().decode("cp1252"))
    assert not is_misread("don\u2019t")


@pytest.mark.parametrize(
    ("held_out", "text", "is_same"),
    [
        ("Yes.", "yes", True),
        ("l'été", "L'ETE", True),
        ("l'ete", "l'été", True),
        ("Don\u2019t!", "don't", True),
        ("yes", "yes please", False),
        ("...", "yes", False),
    ],
)
def test_held_out_texts(held_out: str, text: str, is_same: bool):
    assert kinds(text, held_out=comparable([held_out])) == ["held-out-text"] * is_same


@given(st.text(max_size=30))
def test_every_text_is_comparable_to_itself(text: str):
    found = kinds(text, held_out=comparable([text]))
    assert found[-1] in ("held-out-text", "empty-text")


def test_words_and_excerpts():
    assert count_words("Press 1, please!") == 3
    assert excerpt("a\nb") == r"'a\nb'"
    assert len(excerpt("x" * 1000)) == EXCERPT + 3
