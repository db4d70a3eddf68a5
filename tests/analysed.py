"""Models of speech and units that tests of the analyses look into: real ones of a few weights, and toys that know."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from hypothesis import strategies as st

import tiny
from speech_units import tiny_config
from sprachbund.checkpoints.store import StoredModel, save_model
from sprachbund.config import to_mapping
from sprachbund.evaluation.analyses.clips import PhonedClip, SharedTransformer
from sprachbund.models.speech_units.model import SpeechUnitModel
from sprachbund.models.table import MODELS
from sprachbund.shapes import Array
from sprachbund.tokens.phone_labels import UnitLabels
from sprachbund.tokens.phones import PHONES, SILENCE

phones = st.sampled_from(("AA", "IY", "B", "S", SILENCE, None))


def make_clip(frame_phones: list[str | None], unit_phones: list[str | None]) -> PhonedClip:
    """A clip of these phones without a sound of its own."""
    return PhonedClip(
        "toy", np.zeros(1, np.float32), tuple(frame_phones), np.arange(len(unit_phones)), tuple(unit_phones)
    )


def model(kind: str = "speechlm", num_units: int | None = tiny.NUM_UNITS, **changes: Any) -> SpeechUnitModel:
    """A model of `speech_units.tiny_config` for `tiny.unit_model`, with seeded weights, in evaluation mode."""
    config = tiny_config(kind, len(tiny.character_tokenizer().vocabulary), 4 + (num_units or 0), **changes)
    if num_units is None:
        config = replace(config, num_units=None)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        built: SpeechUnitModel = MODELS[kind][1](config)
    return built.eval()


def write_folder(folder: Path, kind: str = "speechlm", facts: dict[str, Any] | None = None, **changes: Any) -> Path:
    """The model folder of `model`, which has learned the units of `tiny.unit_model`; returns the folder."""
    built = model(kind, **changes)
    said = {"stage": "unit pretraining", "unit_model": tiny.unit_model().fingerprint} if facts is None else facts
    save_model(
        folder, StoredModel(kind, to_mapping(built.config), built.state_dict(), tiny.character_tokenizer(), said)
    )
    return folder


def shared(kind: str = "speechlm", labels: UnitLabels | None = None, **changes: Any) -> SharedTransformer:
    """That of `model`."""
    own = tiny.unit_model() if labels is None else labels
    built = model(kind, own.num_units, unit_rate=own.label_rate, **changes)
    return SharedTransformer(built, own, is_reduced=kind == "speechut")


def one_hot(symbols: tuple[str | None, ...]) -> Array:
    """A direction for each phone, and another one for none."""
    names = (None, SILENCE, *PHONES)
    return np.eye(len(names), dtype=np.float32)[[names.index(symbol) for symbol in symbols]]


@dataclass(frozen=True, eq=False)
class Knowing(SharedTransformer):
    """A toy whose states are the phones, on both sides."""

    def speech_states(self, clip: PhonedClip) -> list[Array]:
        """The phone of each frame."""
        return [one_hot(clip.frame_phones)] * len(self.layers)

    def unit_states(self, clip: PhonedClip) -> list[Array]:
        """The phone of each unit."""
        return [one_hot(clip.unit_phones)] * len(self.layers)


@dataclass(frozen=True, eq=False)
class Counting(SharedTransformer):
    """A toy whose states are the time and nothing else, on both sides."""

    def speech_states(self, clip: PhonedClip) -> list[Array]:
        """The time of each frame."""
        return [_clock(len(clip.frame_phones), self.frame_shift)] * len(self.layers)

    def unit_states(self, clip: PhonedClip) -> list[Array]:
        """The time of each unit."""
        return [_clock(len(clip.units), self.labels.frame_shift)] * len(self.layers)


def _clock(count: int, frame_shift: float) -> Array:
    """The angle of a hand that goes round once in ten seconds."""
    angles = 2 * np.pi * (np.arange(count) + 0.5) * frame_shift / 10
    return np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
