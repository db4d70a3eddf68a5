import pytest
from hypothesis import given
from hypothesis import strategies as st

from sprachbund.data.corpora.sentences import split_sentences


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("One. Two! Three? Four", ["One.", "Two!", "Three?", "Four"]),
        ('He said: "No." "Yes," she\n said.', ['He said: "No."', '"Yes," she said.']),
        (
            "a small e.g. Example of Mr. Smith and J. Doe. End.",
            ["a small e.g. Example of Mr. Smith and J. Doe.", "End."],
        ),
        ("version 1.5 of it. and so on", ["version 1.5 of it. and so on"]),
        ("  \n ", []),
    ],
)
def test_sentences_end_where_they_should(text: str, sentences: list[str]) -> None:
    assert list(split_sentences(text)) == sentences


@given(st.text("Ab .?!\"'\n"))
def test_no_word_is_lost(text: str) -> None:
    assert " ".join(split_sentences(text)).split() == text.split()
