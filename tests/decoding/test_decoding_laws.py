"""The law of decoding: neither what shares a batch nor how it is computed changes a transcript.

The same text, times and scores (1e-4) at any batch size, in any order, padded or not, with one thread or two, unless
the two best transcripts are as good as each other.
"""

from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import recognizers
import tiny
from sprachbund.decoding.recognition.config import DecodingConfig, FusedModel
from sprachbund.decoding.recognition.recognizer import Recognizer
from sprachbund.decoding.recognition.transcript import Transcript
from sprachbund.models.speecht5.model import SpeechT5
from sprachbund.objectives.recognition import Recognition, RecognitionConfig
from sprachbund.shapes import Array

SAME = 1e-4
CASES = (
    *("ctc", "ctc-beam", "ctc-beam lexicon", "ctc-beam ngram"),
    *("attention", "attention lm", "joint", "joint lm", "joint ngram lexicon"),
)
SIZES = (1, 2, 7, 32)
Alone = Callable[[str], list[Transcript]]


@cache
def config_of(case: str, folder: Path) -> DecodingConfig:
    method, *others = case.split()
    if method == "ctc":
        return DecodingConfig(timestamps=True)
    models = []
    if "lm" in others:
        models.append(FusedModel(path=str(recognizers.write_language_model(folder / "lm")), weight=0.4))
    if "ngram" in others:
        models.append(FusedModel(path=str(recognizers.write_arpa(folder / "words.arpa")), weight=0.6))
    lexicon = str(recognizers.write_lexicon(folder / "words.txt")) if "lexicon" in others else None
    return DecodingConfig(
        method=method,  # type: ignore[arg-type]  # the first word of a case is one
        beam=3,
        num_best=2,
        language_models=tuple(models),
        lexicon=lexicon,
        length_bonus=0.2,
        timestamps=True,
        times_by="attention" if case == "attention" else "ctc",
        batch_seconds=1e6,
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("laws")


@pytest.fixture(scope="module")
def recognizer() -> Recognizer:
    return recognizers.outspoken_recognizer()


@pytest.fixture(scope="module")
def alone(recognizer: Recognizer, folder: Path) -> Alone:
    """The transcripts of single recordings, by case."""
    return cache(lambda case: alone_of(recognizer, config_of(case, folder), recognizers.waveforms()))


def alone_of(recognizer: Recognizer, config: DecodingConfig, sounds: list[Array]) -> list[Transcript]:
    return [recognizer.transcribe_waveforms([sound], config)[0] for sound in sounds]


def is_tied(transcript: Transcript) -> bool:
    scores = [one.score for one in transcript.alternatives]
    return len(scores) > 1 and abs(scores[0] - scores[1]) < SAME


def assert_same(found: list[Transcript], wanted: list[Transcript]) -> None:
    assert len(found) == len(wanted)
    for one, other in zip(found, wanted, strict=True):
        assert one.score == pytest.approx(other.score, rel=SAME, abs=SAME)
        assert (one.num_frames, one.blank_rate) == (other.num_frames, pytest.approx(other.blank_rate))
        if is_tied(other):
            continue
        assert one.text == other.text
        assert one.words is not None and other.words is not None
        for word, same in zip(one.words, other.words, strict=True):
            assert (word.start, word.end) == (same.start, same.end)
            assert word.confidence == pytest.approx(same.confidence, abs=SAME)
        assert one.alternatives[:1] == () or dict(one.alternatives[0].parts) == pytest.approx(
            dict(other.alternatives[0].parts), rel=SAME, abs=SAME
        )


@pytest.mark.parametrize("case", CASES)
def test_what_is_said_is_worth_a_test(alone: Alone, case: str):
    """Else the tests below would show nothing."""
    texts = {transcript.text for transcript in alone(case)}
    assert len(texts) >= 4, texts
    assert sum(is_tied(transcript) for transcript in alone(case)) <= 1
    for transcript in alone(case):
        assert transcript.words is not None
        assert " ".join(word.word for word in transcript.words) == " ".join(transcript.text.split())


@pytest.mark.parametrize("case", CASES)
@settings(deadline=None, max_examples=3)
@given(data=st.data(), size=st.sampled_from(SIZES))
def test_batch_size_order_and_padding_change_nothing(
    recognizer: Recognizer,
    folder: Path,
    alone: Alone,
    case: str,
    data: st.DataObject,
    size: int,
):
    places = data.draw(st.lists(st.integers(0, len(recognizers.SAMPLES) - 1), min_size=size, max_size=size))
    sounds = recognizers.waveforms()
    found = recognizer.transcribe_waveforms([sounds[place] for place in places], config_of(case, folder))
    assert_same(found, [alone(case)[place] for place in places])


@pytest.mark.parametrize("case", CASES)
def test_threads_change_nothing(recognizer: Recognizer, folder: Path, alone: Alone, case: str):
    before, chosen = torch.get_num_threads(), (4, 6, 7)
    sounds = [recognizers.waveforms()[place] for place in chosen]
    try:
        for threads in (1, 2):
            torch.set_num_threads(threads)
            found = recognizer.transcribe_waveforms(sounds, config_of(case, folder))
            assert_same(found, [alone(case)[place] for place in chosen])
    finally:
        torch.set_num_threads(before)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Recognizer, list[Array], list[str]]:
    """A model that has learned eight tones by heart, and the tones."""
    from sprachbund.data.batches.collate import TranscribedCollator
    from sprachbund.data.storage.waveforms import read_waveform

    cuts = list(tiny.make_cuts(tmp_path_factory.mktemp("learned"), 8))
    tokenizer = tiny.character_tokenizer()
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = SpeechT5(tiny.quiet(tiny.tiny_config(len(tokenizer.vocabulary))))
        objective = Recognition(model, RecognitionConfig(normalize_by="tokens", label_smoothing=0.0))
        optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
        batch = TranscribedCollator(seed=0, tokenizer=tokenizer)(cuts, 0)
        model.train()
        for _ in range(350):
            optimizer.zero_grad()
            objective(batch).total().backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 5.0)
            optimizer.step()
    sounds = [read_waveform(cut) for cut in cuts]
    return Recognizer(model, tokenizer), sounds, list(tiny.TEXTS[:8])


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES)
def test_the_law_holds_for_trained_weights(trained: tuple[Recognizer, list[Array], list[str]], folder: Path, case: str):
    recognizer, sounds, texts = trained
    config = config_of(case, folder)
    wanted = alone_of(recognizer, config, sounds)
    if case in ("ctc", "attention"):
        heard = [one.text == text for one, text in zip(wanted, texts, strict=True)]
        assert sum(heard) >= 6, [one.text for one in wanted]
    for size in SIZES:
        places = [(5 * number + size) % len(sounds) for number in range(size)]
        found = recognizer.transcribe_waveforms([sounds[place] for place in places], config)
        assert_same(found, [wanted[place] for place in places])
