import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import tiny
from sprachbund.decoding.hypothesis import Hypothesis
from sprachbund.decoding.recognizer import DecodingConfig, Recognizer, Transcript
from sprachbund.decoding.roles import BeamConfig
from sprachbund.errors import AudioError, RecipeError
from sprachbund.lengths import frames_from_samples
from sprachbund.shapes import Array
from sprachbund.signal.audio import write_audio

METHODS = ("ctc", "attention")
# From less than one frame to a second and a half, two of the same length.
SAMPLES = (9000, 399, 400, 24_000, 5000, 12_345, 9000, 719, 16_000)


def outspoken_recognizer(seed: int = 0, **changes: Any) -> Recognizer:
    """Random weights that say something: large heads, and a blank that is not always the likeliest."""
    model = tiny.tiny_model(seed, share_ctc_embeddings=False, share_embeddings=False, **changes)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for head in (model.ctc_head, model.text_head):
            head.weight.copy_(2 * torch.randn(head.weight.shape, generator=generator))
        for name, weight in model.encoder.named_parameters():
            if weight.dim() > 1 and "positions" not in name:
                weight.mul_(8.0)
    return Recognizer(model, tiny.character_tokenizer())


@pytest.fixture(scope="module")
def recognizer() -> Recognizer:
    return outspoken_recognizer()


def waveforms(samples: tuple[int, ...] = SAMPLES) -> list[Array]:
    return [tiny.tone(length, seed) for seed, length in enumerate(samples)]


@pytest.fixture(scope="module")
def alone(recognizer: Recognizer) -> dict[str, list[Transcript]]:
    """The transcripts of single recordings."""
    return {
        method: [
            recognizer.transcribe_waveforms([each], DecodingConfig(method=method, beam=2))[0] for each in waveforms()
        ]
        for method in METHODS
    }


def assert_same(found: list[Transcript], wanted: list[Transcript]) -> None:
    assert [each.text for each in found] == [each.text for each in wanted]
    assert [each.num_frames for each in found] == [each.num_frames for each in wanted]
    assert [each.blank_rate for each in found] == pytest.approx([each.blank_rate for each in wanted])
    assert [each.score for each in found] == pytest.approx([each.score for each in wanted], rel=1e-4, abs=1e-4)


@pytest.mark.parametrize("method", METHODS)
def test_random_weights_say_different_things(alone: dict[str, list[Transcript]], method: str):
    texts = [transcript.text for transcript in alone[method]]
    assert len(set(texts)) >= 5, texts
    assert set("".join(texts)) <= set("abcdef ")
    assert all(-np.inf < transcript.score <= 0 for transcript in alone[method])


@pytest.mark.parametrize("method", METHODS)
@settings(deadline=None, max_examples=3)
@given(order=st.permutations(range(len(SAMPLES))), batch_seconds=st.sampled_from([0.1, 1.0, 2.0, 3.5, 120.0]))
def test_batch_size_order_and_neighbours_change_nothing(
    recognizer: Recognizer,
    alone: dict[str, list[Transcript]],
    method: Any,
    order: list[int],
    batch_seconds: float,
):
    config = DecodingConfig(method=method, beam=2, batch_seconds=batch_seconds)
    given_waveforms = waveforms()
    found = recognizer.transcribe_waveforms([given_waveforms[place] for place in order], config)
    assert_same(found, [alone[method][place] for place in order])


@pytest.mark.parametrize("changes", [{"is_normalized": True}, {"conv_norm": "layer"}, {"has_speech_sinusoids": False}])
def test_the_law_holds_for_other_kinds_of_model(changes: dict[str, Any]):
    recognizer = outspoken_recognizer(1, **changes)
    together = recognizer.transcribe_waveforms(waveforms())
    assert_same(together, [recognizer.transcribe_waveforms([each])[0] for each in waveforms()])
    assert len({each.text for each in together}) >= 4


@pytest.mark.parametrize("method", METHODS)
def test_less_than_one_frame_says_nothing(recognizer: Recognizer, method: Any):
    config = DecodingConfig(method=method)
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
    first, second = recognizer.transcribe_waveforms([sound, sound], DecodingConfig(method=method))
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

    def watch(decoder: Any, memory: Any, config: BeamConfig) -> list[Hypothesis]:
        asked.append(config)
        return [Hypothesis((), 0.0, 0.0)]

    monkeypatch.setattr("sprachbund.decoding.recognizer.decode_attention", watch)
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
    transcripts = recognizer.transcribe_waveforms(waveforms(), DecodingConfig(method=method))
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


def test_an_unknown_method_is_refused():
    """By the configuration itself, as nothing checks annotations outside of tests."""
    config = object.__new__(DecodingConfig)
    object.__setattr__(config, "method", "guess")
    with pytest.raises(RecipeError, match=r"no such decoder.*guess.*ctc, attention"):
        config.__post_init__()


def test_batches_hold_recordings_of_like_length_within_their_seconds(
    recognizer: Recognizer, monkeypatch: pytest.MonkeyPatch
):
    seen: list[tuple[int, ...]] = []
    collate = recognizer.collate

    def watch(chosen: Any) -> Any:
        seen.append(tuple(len(each) for each in chosen))
        return collate(chosen)

    monkeypatch.setattr(recognizer, "collate", watch)
    recognizer.transcribe_waveforms(waveforms(), DecodingConfig(batch_seconds=2.0))
    assert seen == [(24_000,), (16_000, 12_345), (9000, 9000, 5000), (719, 400)]
    seen.clear()
    recognizer.transcribe_waveforms(waveforms(), DecodingConfig(batch_seconds=0.1))
    assert sorted(len(batch) for batch in seen) == [1] * 6 + [2]  # only the two shortest fit into 0.1 s


def test_waveforms_are_normalized_for_the_models_that_want_it():
    sound = 0.5 * tiny.tone(16_000) + np.float32(0.3)
    for is_normalized in (True, False):
        batch, _ = outspoken_recognizer(1, is_normalized=is_normalized).collate([sound, sound[:9000]])
        wanted = (0.0, 1.0) if is_normalized else (float(sound[:9000].mean()), float(sound[:9000].std()))
        row = batch[1, :9000]
        assert (float(row.mean()), float(row.std())) == pytest.approx(wanted, abs=1e-3)


def test_an_encoder_alone_transcribes_by_ctc() -> None:
    vocabulary = tiny.character_tokenizer().vocabulary
    model = tiny.hubert_model(num_units=None, vocab_size=len(vocabulary))
    with torch.no_grad():
        model.ctc_head.weight.mul_(200)
    recognizer = Recognizer(model, tiny.character_tokenizer())
    together = recognizer.transcribe_waveforms(waveforms())
    assert_same(together, [recognizer.transcribe_waveforms([each])[0] for each in waveforms()])
    assert any(each.text for each in together)
    with pytest.raises(RecipeError, match="no text decoder") as caught:
        recognizer.transcribe_waveforms(waveforms(), DecodingConfig(method="attention"))
    assert "--decoder ctc" in str(caught.value)
