import itertools

import numpy as np
import pytest

from spoken import spoken_us
from sprachbund.data.aligning.sphinx_decoder import align_words, decode_phones, knows, recognize_words

READINGS = {"zyx": (("S", "AH", "S"), ("AH", "S"))}


def test_the_score_tells_the_right_words_from_others() -> None:
    right, other = (align_words([word], {}, spoken_us(0.3)) for word in ("us", "wallow"))
    assert right is not None
    assert other is not None
    assert other.score < right.score <= 0


def test_words_without_sound_lower_the_score() -> None:
    whole, more = (align_words(["us"] * number, {}, np.tile(spoken_us(0.3), 2)) for number in (2, 4))
    assert whole is not None
    assert more is not None
    assert more.score < whole.score


def test_frames_are_used_up_in_order() -> None:
    path = align_words(["us", "us"], {}, np.tile(spoken_us(0.3), 2))
    assert path is not None
    phones = [phone for word in path.words for phone in word.phones]
    assert phones[0].start == 0
    assert all(one.start + one.length == other.start for one, other in itertools.pairwise(phones))
    assert [word.name for word in path.words if word.name] == ["us", "us"]


def test_a_taught_word_has_the_better_of_its_pronunciations() -> None:
    path = align_words(["zyx"], READINGS, spoken_us(0.3))
    assert path is not None
    assert [[phone.symbol for phone in word.phones] for word in path.words if word.name] == [["AH", "S"]]
    assert not knows("zyx")
    assert knows("us")


@pytest.mark.parametrize("num_samples", [0, 1, 100, 401])
def test_very_short_sounds_are_nothing(num_samples: int) -> None:
    assert align_words(["us"], {}, np.zeros(num_samples, np.float32)) is None
    assert len(decode_phones(np.zeros(num_samples, np.float32))) <= 1


def test_decoding_remembers_nothing() -> None:
    first = decode_phones(spoken_us(0.3))
    decode_phones(spoken_us(0.7))
    align_words(["us"], {}, spoken_us(0.5))
    assert decode_phones(spoken_us(0.3)) == first != ()


def test_words_are_of_the_dictionary_and_remember_nothing() -> None:
    first = recognize_words(spoken_us(0.05))
    assert first
    assert all(knows(word) for word in first)
    recognize_words(spoken_us(0.1)[:4000])
    assert recognize_words(spoken_us(0.05)) == first


@pytest.mark.parametrize("num_samples", [0, 1, 100, 401, 16_000])
def test_digital_silence_says_no_words(num_samples: int) -> None:
    assert recognize_words(np.zeros(num_samples, np.float32)) == ()
