import math
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
import soundfile
import torch

import tiny
from recognizers import outspoken_recognizer, waveforms, write_language_model
from sprachbund.decoding.hypothesis import Hypothesis
from sprachbund.decoding.language.models import load_language_model
from sprachbund.decoding.recognition.config import DecodingConfig, FusedModel, Method, TimesBy
from sprachbund.decoding.recognition.recognizer import Recognizer
from sprachbund.decoding.recognition.transcript import Transcript
from sprachbund.decoding.search.roles import BeamConfig
from sprachbund.errors import AudioError, CheckpointError, RecipeError
from sprachbund.lengths import frames_from_samples
from sprachbund.signal.audio import write_audio

METHODS: tuple[Method, ...] = get_args(Method)


def config_of(method: Method, **options: Any) -> DecodingConfig:
    """With a small beam, where the method has one."""
    return DecodingConfig(method=method, **({} if method == "ctc" else {"beam": 2}), **options)


@pytest.fixture(scope="module")
def recognizer() -> Recognizer:
    return outspoken_recognizer()


def assert_same(found: list[Transcript], wanted: list[Transcript]) -> None:
    assert [each.text for each in found] == [each.text for each in wanted]
    assert [each.num_frames for each in found] == [each.num_frames for each in wanted]
    assert [each.blank_rate for each in found] == pytest.approx([each.blank_rate for each in wanted])
    assert [each.score for each in found] == pytest.approx([each.score for each in wanted], rel=1e-4, abs=1e-4)


@pytest.mark.parametrize("changes", [{"is_normalized": True}, {"conv_norm": "layer"}, {"has_speech_sinusoids": False}])
def test_the_law_holds_for_other_kinds_of_model(changes: dict[str, Any]):
    recognizer = outspoken_recognizer(1, **changes)
    together = recognizer.transcribe_waveforms(waveforms())
    assert_same(together, [recognizer.transcribe_waveforms([each])[0] for each in waveforms()])
    assert len({each.text for each in together}) >= 4


@pytest.mark.parametrize("method", METHODS)
def test_less_than_one_frame_says_nothing(recognizer: Recognizer, method: Any):
    config = config_of(method)
    assert frames_from_samples(399) == 0
    short = np.full(399, 0.5, np.float32)
    assert recognizer.transcribe_waveforms([short, short[:1]], config) == [Transcript("", 0.0, 1.0, 0)] * 2
    mixed = recognizer.transcribe_waveforms([short, tiny.tone(9000), short], config)
    assert [bool(transcript.text) for transcript in mixed] == [False, True, False]
    assert recognizer.transcribe_waveforms([], config) == []


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("kind", ["silence", "noise", "full scale"])
def test_sounds_without_speech_have_a_defined_result(method: Any, kind: str):
    recognizer = outspoken_recognizer(2, is_normalized=True)
    sound = {
        "silence": np.zeros(8000, np.float32),
        "noise": np.random.default_rng(0).uniform(-1, 1, 8000).astype(np.float32),
        "full scale": np.ones(8000, np.float32),
    }[kind]
    first, second = recognizer.transcribe_waveforms([sound, sound], config_of(method))
    assert first == second
    assert np.isfinite(first.score)
    assert first.num_frames == frames_from_samples(8000)
    assert 0 <= first.blank_rate <= 1


def endless_recognizer() -> Recognizer:
    """A decoder that says "a" for ever: nothing in it ends a sentence."""
    model = tiny.tiny_model(3)
    head = torch.nn.Linear(model.config.decoder.dim, model.config.vocab_size)
    with torch.no_grad():
        head.weight.zero_()
        head.bias.zero_()[tiny.character_tokenizer().vocabulary.id_of("a")] = 20.0
    model.text_head = head
    return Recognizer(model, tiny.character_tokenizer())


def test_a_decoder_that_never_ends_is_stopped():
    recognizer = endless_recognizer()
    steps: list[int] = []
    decode = recognizer.model.decode_text
    recognizer.model.decode_text = lambda *rest, **options: (steps.append(1), decode(*rest, **options))[1]  # type: ignore
    sounds = [tiny.tone(8000), tiny.tone(24_000)]
    found = recognizer.transcribe_waveforms(sounds, DecodingConfig(method="attention", beam=2))
    assert [len(each.text) for each in found] == [math.ceil(each.num_frames / 2) for each in found]
    assert len(steps) == len(found[1].text) + 1
    found = recognizer.transcribe_waveforms(sounds, DecodingConfig(method="attention", beam=2, tokens_per_second=10))
    assert [len(each.text) for each in found] == [math.ceil(each.num_frames / 5) for each in found]


def test_a_long_recording_may_say_more_than_a_short_one(monkeypatch: pytest.MonkeyPatch):
    """Beyond the 400 tokens to which a beam search keeps where nobody says otherwise."""
    asked: list[BeamConfig] = []

    def watch(decoder: Any, memory: Any, config: BeamConfig, **more: Any) -> list[list[Hypothesis]]:
        asked.append(config)
        return [[Hypothesis((), 0.0, 0.0)]]

    monkeypatch.setattr("sprachbund.decoding.recognition.methods.decode_joint", watch)
    endless_recognizer().transcribe_waveforms([tiny.tone(5000)], DecodingConfig(method="attention", beam=3))
    (config,) = asked
    assert (config.beam, config.limit(3000), config.limit(1)) == (3, 1500, 1)


@pytest.mark.parametrize("method", METHODS)
def test_marks_are_never_said(method: Any):
    """Not even by a model that would rather say them."""
    recognizer = outspoken_recognizer(4)
    vocabulary = recognizer.tokenizer.vocabulary
    marks = [0, 1, 3, *vocabulary.added_ids]
    with torch.no_grad():
        recognizer.model.ctc_head.bias[[0, 1, 2, 3, vocabulary.mask_id]] = 1000.0
        recognizer.model.text_head.weight[marks] *= 30
    transcripts = recognizer.transcribe_waveforms(waveforms(), config_of(method))
    assert set("".join(transcript.text for transcript in transcripts)) <= set("abcdef ")
    assert any(transcript.text for transcript in transcripts)


def test_files_bytes_names_and_formats(recognizer: Recognizer, tmp_path: Path):
    sound = tiny.tone(16_000)
    for name in ("clip.wav", "clip.flac", "clip.ogg"):
        write_audio(tmp_path / name, sound)
    text = recognizer.transcribe(tmp_path / "clip.wav")
    assert text
    assert recognizer.transcribe(str(tmp_path / "clip.wav")) == text
    assert recognizer.transcribe((tmp_path / "clip.wav").read_bytes()) == text
    assert recognizer.transcribe(tmp_path / "clip.flac") == text
    assert recognizer.transcribe(str(tmp_path / "clip.ogg"))


def test_stereo_at_48_khz_is_taken_down(recognizer: Recognizer, tmp_path: Path):
    time = np.arange(48_000) / 48_000
    left, right = np.sin(2 * np.pi * 440 * time), 0.5 * np.sin(2 * np.pi * 1000 * time)
    soundfile.write(tmp_path / "stereo.wav", np.stack([left, right], axis=1) * 0.5, 48_000, subtype="FLOAT")
    mono = ((left + right) / 4)[::3].astype(np.float32)  # no content above 8 kHz, so every third sample is enough
    (heard,) = recognizer.transcribe_many([tmp_path / "stereo.wav"])
    (wanted,) = recognizer.transcribe_waveforms([mono])
    assert heard.num_frames == wanted.num_frames == 49
    assert heard.text
    assert heard.score == pytest.approx(wanted.score, rel=0.1)


def test_many_sources_keep_their_order(recognizer: Recognizer, tmp_path: Path):
    sounds = waveforms((9000, 20_000, 5000, 12_000))
    paths = [tmp_path / f"{number}.flac" for number in range(len(sounds))]
    for path, sound in zip(paths, sounds, strict=True):
        write_audio(path, sound)
    sources = [paths[0], str(paths[1]), paths[2].read_bytes(), paths[3], paths[0]]
    transcripts = recognizer.transcribe_many(iter(sources))
    assert [each.text for each in transcripts] == [recognizer.transcribe(source) for source in sources]
    assert transcripts[0] == transcripts[4]
    assert len({each.text for each in transcripts}) == 4


def test_a_recording_that_cannot_be_read_is_named(recognizer: Recognizer, tmp_path: Path):
    write_audio(tmp_path / "good.wav", tiny.tone(5000))
    with pytest.raises(AudioError, match=r"missing.wav"):
        recognizer.transcribe_many([tmp_path / "good.wav", tmp_path / "missing.wav"])


def test_the_model_is_in_evaluation_mode():
    model = tiny.tiny_model()
    assert not Recognizer(model.train(), tiny.character_tokenizer()).model.training


def test_nothing_is_recorded_for_gradients(recognizer: Recognizer):
    batch, lengths = recognizer.collate(waveforms((5000, 700)))
    assert batch.shape == (2, 5000)
    assert lengths.tolist() == [5000, 700]
    assert not batch[1, 700:].any()
    assert all(parameter.grad is None for parameter in recognizer.model.parameters())


@pytest.mark.parametrize("times_by", ["ctc", "attention"])
@pytest.mark.parametrize("method", METHODS)
def test_words_have_times_and_confidences_where_they_are_asked_for(
    recognizer: Recognizer, method: Method, times_by: TimesBy
):
    sounds = waveforms((9000, 399, 16_000))
    plain = recognizer.transcribe_waveforms(sounds, config_of(method))
    timed = recognizer.transcribe_waveforms(sounds, config_of(method, timestamps=True, times_by=times_by))
    assert [replace(each, words=None, confidence=None) for each in timed] == plain
    assert timed[1].words == ()
    for sound, transcript in zip(sounds, timed, strict=True):
        assert transcript.words is not None
        assert [word.word for word in transcript.words] == transcript.text.split()
        edges = [edge for word in transcript.words for edge in (word.start, word.end)]
        assert edges == sorted(edges)
        assert all(0 <= edge <= len(sound) / 16_000 for edge in edges)
        assert all(word.confidence is not None and 0 <= word.confidence <= 1 for word in transcript.words)
        assert (transcript.confidence is None) == (not transcript.text)


@pytest.mark.parametrize("method", METHODS[1:])
def test_alternatives_are_told_where_they_are_asked_for(recognizer: Recognizer, method: Method):
    sounds = waveforms((9000, 16_000))
    plain = recognizer.transcribe_waveforms(sounds, config_of(method))
    several = recognizer.transcribe_waveforms(sounds, config_of(method, num_best=2))
    assert_same(several, plain)
    assert all(each.alternatives == () for each in plain)
    for each in several:
        assert 1 <= len(each.alternatives) <= 2
        assert (each.alternatives[0].text, each.alternatives[0].score) == (each.text, each.score)
        assert len({one.text for one in each.alternatives}) == len(each.alternatives)


def test_what_is_encoded_once_is_decoded_in_many_ways(recognizer: Recognizer):
    sounds = waveforms((9000, 16_000, 5000))
    (encoded,) = recognizer.encode(sounds, DecodingConfig())
    for method in METHODS:
        wanted = recognizer.transcribe_waveforms(sounds, config_of(method))
        found = recognizer.decode(encoded, config_of(method))
        assert found == [wanted[place] for place in encoded.places]


def test_language_models_are_loaded_once_and_before_anything_is_decoded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    recognizer, loaded = outspoken_recognizer(), []
    load = load_language_model
    monkeypatch.setattr(
        "sprachbund.decoding.recognition.recognizer.load_language_model",
        lambda *given: (loaded.append(given[0]), load(*given))[1],
    )
    path = str(write_language_model(tmp_path / "lm"))
    config = config_of("joint", language_models=(FusedModel(path=path, weight=0.5),))
    recognizer.prepare(config)
    assert loaded == [path]
    with_it = recognizer.transcribe_waveforms(waveforms((9000,)), config)
    recognizer.transcribe_waveforms(waveforms((9000,)), config_of("attention", language_models=config.language_models))
    assert loaded == [path]
    assert with_it != recognizer.transcribe_waveforms(waveforms((9000,)), config_of("joint"))
    missing = (FusedModel(path=str(tmp_path / "none")),)
    with pytest.raises(CheckpointError, match=r"there is no language model.*none.*sprachbund lm"):
        recognizer.transcribe_waveforms([], config_of("joint", language_models=missing))
    with pytest.raises(RecipeError, match="neural language model"):
        recognizer.prepare(config_of("ctc-beam", language_models=config.language_models))


@pytest.mark.parametrize("method", METHODS)
def test_short_precision_is_close(recognizer: Recognizer, method: Method):
    sounds = waveforms((5000, 9000))
    full = recognizer.transcribe_waveforms(sounds, config_of(method))
    short = recognizer.transcribe_waveforms(sounds, config_of(method, precision="bf16"))
    for one, other in zip(short, full, strict=True):
        assert one.score != other.score
        assert one.score == pytest.approx(other.score, rel=0.1)


def test_a_beam_may_be_larger_than_the_vocabulary(recognizer: Recognizer):
    for method in METHODS[1:]:
        wide = DecodingConfig(method=method, beam=40, num_best=40)
        (transcript,) = recognizer.transcribe_waveforms(waveforms((2000,)), wide)
        assert 1 <= len(transcript.alternatives) <= 40
        assert len({one.text for one in transcript.alternatives}) > 1


def test_a_transcript_may_not_be_longer_than_the_frames_allow(recognizer: Recognizer):
    """However much longer ones are wanted: one frame, and a bonus for every token."""
    for method in METHODS[1:]:
        config = config_of(method, length_bonus=50.0)
        for samples in (400, 719, 1040):
            (transcript,) = recognizer.transcribe_waveforms([tiny.tone(samples)], config)
            frames = frames_from_samples(samples)
            # In one frame CTC says one token at most; a decoder writes at most 25 tokens a second.
            assert len(transcript.text) <= frames
            assert transcript.num_frames == frames


def test_an_encoder_alone_transcribes_by_ctc() -> None:
    vocabulary = tiny.character_tokenizer().vocabulary
    model = tiny.hubert_model(num_units=None, vocab_size=len(vocabulary))
    with torch.no_grad():
        model.ctc_head.weight.mul_(200)
    recognizer = Recognizer(model, tiny.character_tokenizer())
    for method in METHODS[:2]:
        together = recognizer.transcribe_waveforms(waveforms(), config_of(method))
        alone = [recognizer.transcribe_waveforms([each], config_of(method))[0] for each in waveforms()]
        assert_same(together, alone)
        assert any(each.text for each in together)
    with pytest.raises(RecipeError, match="no text decoder") as caught:
        recognizer.transcribe_waveforms(waveforms(), DecodingConfig(method="attention"))
    assert "--decoder ctc" in str(caught.value)
    with pytest.raises(RecipeError, match=r"no text decoder.*--times ctc"):
        recognizer.transcribe_waveforms(waveforms(), DecodingConfig(timestamps=True, times_by="attention"))
