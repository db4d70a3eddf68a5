"""The search, and the laws that translations obey."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import translated
from recognizers import waveforms
from sprachbund.decoding.recognition.config import DecodingConfig
from sprachbund.decoding.recognition.recognizer import Recognizer
from sprachbund.decoding.translation import TOKENS_PER_SECOND, translation_search
from sprachbund.errors import RecipeError
from sprachbund.serving.load import load

KINDS = ("speechlm", "speechut")
SAMPLES = (4000, 399, 1100, 3000, 2100)  # short, as random weights write as much as they may


@pytest.fixture(scope="module", params=KINDS)
def translator(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Recognizer:
    return load(translated.write_translator(tmp_path_factory.mktemp("laws") / "model", request.param))


def test_what_is_not_said_is_usual():
    config = translation_search(beam=3)
    usual = DecodingConfig(method="attention").search()
    assert (config.method, config.search().beam) == ("attention", 3)
    assert config.search().length_penalty == usual.length_penalty == 1.0
    assert translation_search(length_penalty=0.5).search().length_penalty == 0.5
    # German needs more letters than a transcript.
    assert config.search().tokens_per_second == TOKENS_PER_SECOND > usual.tokens_per_second
    with pytest.raises(RecipeError):
        translation_search(beam=0)


def test_a_translation_depends_on_nothing_beside_it(translator: Recognizer):
    sounds = waveforms(SAMPLES)
    config = translation_search(beam=2)
    together = translator.transcribe_waveforms(sounds, config)
    assert len({one.text for one in together} - {""}) > 1
    for sound, wanted in zip(sounds, together, strict=True):
        (alone,) = translator.transcribe_waveforms([sound], config)
        assert alone.text == wanted.text
        assert alone.score == pytest.approx(wanted.score, rel=1e-3, abs=1e-4)
    assert together[1].text == ""  # less than a frame


@settings(deadline=None, max_examples=4)
@given(order=st.permutations(range(len(SAMPLES))), batch_seconds=st.sampled_from([0.1, 0.5, 100.0]))
def test_order_and_batches_change_nothing(translator: Recognizer, order: list[int], batch_seconds: float):
    sounds = waveforms(SAMPLES)
    wanted = translator.transcribe_waveforms(sounds, translation_search(beam=2))
    config = translation_search(beam=2, batch_seconds=batch_seconds)
    found = translator.transcribe_waveforms([sounds[place] for place in order], config)
    assert [one.text for one in found] == [wanted[place].text for place in order]


def test_saved_and_loaded_it_says_the_same(translator: Recognizer, tmp_path: Path):
    kind = "speechut" if "SpeechUT" in type(translator.model).__name__ else "speechlm"
    other = load(translated.write_translator(tmp_path / "model", kind))
    sounds = waveforms(SAMPLES)
    for search in (translation_search(beam=1), translation_search(beam=2, length_penalty=0.0)):
        assert other.transcribe_waveforms(sounds, search) == translator.transcribe_waveforms(sounds, search)


def test_what_needs_ctc_is_refused(translator: Recognizer):
    for config in (DecodingConfig(), DecodingConfig(method="joint"), DecodingConfig(method="ctc-beam")):
        with pytest.raises(RecipeError, match="no CTC head"):
            translator.transcribe_waveforms(waveforms((9000,)), config)
