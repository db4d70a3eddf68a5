import pytest
from lhotse import SupervisionSegment

from sprachbund.data.aligning.results import Outcome
from sprachbund.data.aligning.words import spoken_words


def words(text: str | None, language: str | None = None) -> list[str] | Outcome:
    return spoken_words(SupervisionSegment("s", "r", 0.0, 1.0, text=text, language=language))


@pytest.mark.parametrize("language", [None, "en", "EN", "en-GB", "eng", "English"])
def test_english_is_english_by_any_name(language: str | None) -> None:
    assert words("It's LATE; 21 guests left!", language) == ["it's", "late", "twenty", "one", "guests", "left"]


def test_what_is_not_there_or_not_english_is_told() -> None:
    assert words("hund", "de") is Outcome.NOT_ENGLISH
    assert words("", "de") is Outcome.NOT_ENGLISH
    assert {words(text) for text in (None, "", "  ", "?! ...")} == {Outcome.NO_TRANSCRIPT}  # type: ignore[arg-type]  # outcomes are hashable
