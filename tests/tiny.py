"""Corpora, tokenizers, models and recipes of a few seconds, shared by tests: synthetic, seeded, and quick to make."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lhotse import CutSet, MonoCut, Recording, SupervisionSegment
from lhotse.audio import AudioSource

from sprachbund.checkpoints.store import StoredModel, save_model
from sprachbund.config import to_mapping
from sprachbund.data.storage.manifest import write_cuts
from sprachbund.data.units import attach_units
from sprachbund.models.hubert.config import HubertConfig
from sprachbund.models.hubert.model import Hubert
from sprachbund.models.speech_encoder import waveform_layers
from sprachbund.models.speecht5.config import SpeechT5Config
from sprachbund.models.speecht5.model import SpeechT5
from sprachbund.nn.transformer import StackConfig
from sprachbund.shapes import Array
from sprachbund.signal.audio import write_audio
from sprachbund.signal.features import mfcc
from sprachbund.tokens.text import CharacterTokenizer
from sprachbund.tokens.units import UnitModel

SAMPLING_RATE = 16_000
NUM_UNITS = 6  # clusters of the unit model; the unit dictionary has four specials more
SPEAKER_DIM = 8
TEXTS = ("ab", "ba c", "cab", "a b", "bead", "dad", "a cab", "bad ace", "deed", "ebb")
LINES = (*TEXTS, "a bad deed", "dad bade ace cab", "cab ace bead dad", "ebb a deed", "face a cab", "fed a bee")


def tone(num_samples: int, seed: int = 0) -> Array:
    """A tone that changes its pitch, with a little noise: float32 samples at 16 kHz, below 0.6."""
    generator = np.random.default_rng(seed)
    pitches = np.repeat(generator.uniform(200, 3000, num_samples // 2000 + 1), 2000)[:num_samples]
    wave = 0.4 * np.sin(2 * np.pi * np.cumsum(pitches) / SAMPLING_RATE)
    return (wave + 0.02 * generator.standard_normal(num_samples).clip(-3, 3)).astype(np.float32)


def clip_samples(num_clips: int) -> list[int]:
    """How long each clip of a corpus is: 0.4 to 1.2 s, all different, the same for the same place."""
    return [6_400 + (4_933 * number) % 12_800 for number in range(num_clips)]


def make_cuts(
    folder: Path, num_clips: int = 8, *, samples: Sequence[int] | None = None, name: str = "clip", texts: bool = True
) -> CutSet:
    """Write wav files below `folder`; cuts ``NAME-000`` onwards, with a transcript each unless `texts` is off."""
    cuts = []
    for number, length in enumerate(clip_samples(num_clips) if samples is None else samples):
        identity = f"{name}-{number:03d}"
        path = folder / "audio" / f"{identity}.wav"
        path.parent.mkdir(parents=True, exist_ok=True)
        write_audio(path, tone(length, number), SAMPLING_RATE)
        seconds = length / SAMPLING_RATE
        source = AudioSource(type="file", channels=[0], source=str(path))
        recording = Recording(identity, [source], SAMPLING_RATE, length, seconds)
        text = TEXTS[number % len(TEXTS)]
        said = [SupervisionSegment(identity, identity, 0.0, seconds, text=text)] if texts else []
        cuts.append(MonoCut(identity, 0.0, seconds, 0, recording=recording, supervisions=said))
    return CutSet.from_cuts(cuts)


def write_corpus(
    folder: Path,
    num_clips: int = 8,
    *,
    samples: Sequence[int] | None = None,
    units: UnitModel | None = None,
    name: str = "clip",
    texts: bool = True,
) -> Path:
    """Write wav files and their manifest ``NAME.jsonl.gz``, labelled by `units` where given; return its path."""
    cuts = make_cuts(folder, num_clips, samples=samples, name=name, texts=texts)
    if units is not None:
        cuts = attach_units(cuts, units, folder / "units")
    path = folder / f"{name}.jsonl.gz"
    write_cuts(cuts, path)
    return path


def write_text(folder: Path, lines: Sequence[str] = LINES) -> Path:
    """Write a text stream, one line each."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "text.txt"
    path.write_text("".join(f"{line}\n" for line in lines), "utf-8")
    return path


def character_tokenizer() -> CharacterTokenizer:
    """Of the letters of `LINES`."""
    return CharacterTokenizer.train(LINES)


def unit_model(num_units: int = NUM_UNITS, seed: int = 0) -> UnitModel:
    """Centroids taken from tones: nothing is fitted, so it is made at once."""
    frames = mfcc(tone(2 * SAMPLING_RATE, 1000 + seed))
    return UnitModel(frames[:: len(frames) // num_units][:num_units].astype(np.float32).copy())


def tiny_config(vocab_size: int, num_units: int = NUM_UNITS + 4, **changes: Any) -> SpeechT5Config:
    """Two encoder layers and one decoder layer of width 32; its units come at 100 a second, as `unit_model`'s."""
    stack = StackConfig(
        dim=32, ffn_dim=64, num_layers=2, num_heads=2, attention_dropout=0.0, layerdrop=0.0, max_relative_distance=20
    )
    config = SpeechT5Config(
        vocab_size=vocab_size,
        num_units=num_units,
        unit_rate=100.0,
        encoder=stack,
        decoder=replace(stack, num_layers=1),
        conv_layers=waveform_layers(16),
        frontend_gradient_scale=1.0,
        position_kernel=16,
        position_groups=4,
        mel_prenet_dim=16,
        postnet_layers=2,
        postnet_channels=8,
        speaker_dim=SPEAKER_DIM,
        unit_dim=16,
        codes_per_group=8,
    )
    return replace(config, **changes)


def hubert_config(**changes: Any) -> HubertConfig:
    """The encoder of `tiny_config` alone, for the units of `unit_model`."""
    stack = StackConfig(
        dim=32, ffn_dim=64, num_layers=2, num_heads=2, attention_dropout=0.0, layerdrop=0.0, max_relative_distance=None
    )
    config = HubertConfig(
        num_units=NUM_UNITS + 4,
        unit_rate=100.0,
        encoder=stack,
        conv_layers=waveform_layers(16),
        frontend_gradient_scale=1.0,
        position_kernel=16,
        position_groups=4,
        unit_dim=16,
    )
    return replace(config, **changes)


def hubert_model(seed: int = 0, **changes: Any) -> Hubert:
    """A model of `hubert_config` with seeded weights, in evaluation mode."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return Hubert(hubert_config(**changes)).eval()


def write_hubert_folder(folder: Path, seed: int = 0, **changes: Any) -> Path:
    """A model folder with the weights of `hubert_model`; return the folder."""
    model = hubert_model(seed, **changes)
    facts = {"stage": "encoder pretraining"}
    tokenizer = None if model.config.vocab_size is None else character_tokenizer()
    save_model(folder, StoredModel("hubert", to_mapping(model.config), model.state_dict(), tokenizer, facts))
    return folder


def without_dropout(stack: StackConfig) -> StackConfig:
    """The same layers with nothing random in training."""
    return replace(stack, dropout=0.0, attention_dropout=0.0, activation_dropout=0.0, layerdrop=0.0)


def quiet(config: SpeechT5Config) -> SpeechT5Config:
    """The same sizes with every dropout off."""
    stacks = {
        name: without_dropout(stack) for name, stack in (("encoder", config.encoder), ("decoder", config.decoder))
    }
    return replace(
        config,
        **stacks,
        dropout=0.0,
        encoder_position_dropout=0.0,
        decoder_position_dropout=0.0,
        mel_prenet_dropout=0.0,
        postnet_dropout=0.0,
    )


def tiny_model(seed: int = 0, **changes: Any) -> SpeechT5:
    """A model of `tiny_config` for `character_tokenizer`, with seeded weights, in evaluation mode."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return SpeechT5(tiny_config(len(character_tokenizer().vocabulary), **changes)).eval()


def write_model_folder(folder: Path, seed: int = 0, **changes: Any) -> Path:
    """A model folder with the weights of `tiny_model`; return the folder."""
    model = tiny_model(seed, **changes)
    facts = {"stage": "recognition", "init": None}
    stored = StoredModel(
        "speecht5", to_mapping(model.config), model.state_dict(), character_tokenizer(), facts, "# A tiny model\n"
    )
    save_model(folder, stored)
    return folder


def model_changes(**changes: Any) -> dict[str, Any]:
    """What turns the shipped size "tiny" into `tiny_config`, for the `model.changes` of a recipe."""
    plain = to_mapping(tiny_config(0, **changes))
    return {key: value for key, value in plain.items() if key not in ("vocab_size", "num_units", "unit_rate")}


def pretraining_recipe(folder: Path, **run: Any) -> dict[str, Any]:
    """Plain values of a pre-training recipe, with its corpus, units, text and tokenizer written below `folder`."""
    units = unit_model()
    units.save(folder / "units")
    character_tokenizer().save(folder / "tokenizer")
    return {
        "task": "pretraining",
        "model": {"size": "tiny", "changes": model_changes()},
        "tokenizer": str(folder / "tokenizer"),
        "units": str(folder / "units"),
        "speech": {
            "train": [str(write_corpus(folder / "speech", 8, units=units, name="train"))],
            "valid": [str(write_corpus(folder / "speech", 2, units=units, name="valid"))],
            "batch_seconds": 3.0,
            "buckets": 2,
        },
        "text": {"train": [str(write_text(folder / "text"))], "max_tokens": 60, "tokens_per_sample": 0.001},
        "masking": {"codebook": 0.2},
        "optimization": _optimization(),
        "run": _run(run),
    }


def encoder_recipe(folder: Path, targets: Mapping[str, Any] | None = None, **run: Any) -> dict[str, Any]:
    """Plain values of a recipe of encoder pre-training, with its corpus and units written below `folder`.

    Args:
        folder: to write to.
        targets: what is to be told of masked frames; None for the units of `unit_model`.
        run: changes of the run.
    """
    units = unit_model()
    units.save(folder / "units")
    unknown = ("num_units", "unit_rate", "vocab_size")
    changes = {key: value for key, value in to_mapping(hubert_config()).items() if key not in unknown}
    return {
        "task": "encoder_pretraining",
        "model": {"size": "tiny", "changes": changes},
        "targets": dict(targets or {"kind": "units", "units": str(folder / "units")}),
        "speech": {
            "train": [str(write_corpus(folder / "speech", 8, units=units, name="train"))],
            "valid": [str(write_corpus(folder / "speech", 2, units=units, name="valid"))],
            "batch_seconds": 3.0,
            "buckets": 2,
        },
        "optimization": _optimization(),
        "run": _run(run),
    }


def recognition_recipe(folder: Path, init: Path | None = None, **run: Any) -> dict[str, Any]:
    """Plain values of a recognition recipe, with its corpus written below `folder`; a tokenizer without `init`."""
    character_tokenizer().save(folder / "tokenizer")
    return {
        "task": "recognition",
        "init": None if init is None else str(init),
        "model": {"size": "tiny", "changes": model_changes() if init is None else {}},
        "tokenizer": str(folder / "tokenizer") if init is None else None,
        "speech": {
            "train": [str(write_corpus(folder / "transcribed", 8, name="train"))],
            "valid": [str(write_corpus(folder / "transcribed", 2, name="valid"))],
            "batch_seconds": 3.0,
            "buckets": 2,
        },
        "masking": {"time": 0.3, "time_length": 5, "channel": 0.1, "channel_length": 4},
        "optimization": _optimization(),
        "run": _run(run),
    }


def _optimization() -> dict[str, Any]:
    return {"schedule": {"kind": "tri_stage", "peak": 1e-3, "total_steps": 20}, "clip_norm": 5.0}


def _run(changes: Mapping[str, Any]) -> dict[str, Any]:
    every = {"log_every": 1, "validate_every": 3, "checkpoint_every": 3, "keep_checkpoints": 2}
    return {"seed": 3, "steps": 6, "loader_workers": 0, **every, **changes}


class Trap:
    """Executes a command when it is unpickled."""

    def __init__(self, command: str) -> None:
        self.command = command

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return os.system, (self.command,)


def differences(one: Any, other: Any) -> list[str]:
    """Names of the fields in which two batches differ: another kind, type, shape or value."""
    if type(one) is not type(other):
        return ["kind"]
    return [field.name for field in fields(one) if not _equal(getattr(one, field.name), getattr(other, field.name))]


def _equal(one: Any, other: Any) -> bool:
    if isinstance(one, torch.Tensor) and isinstance(other, torch.Tensor):
        return one.dtype == other.dtype and torch.equal(one, other)
    return type(one) is type(other) and bool(one == other)
