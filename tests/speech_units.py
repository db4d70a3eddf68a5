"""Recipes of SpeechLM and SpeechUT with speech, pairs and units of a few seconds; shared by tests."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

import tiny
from line_work import write_units
from sprachbund.config import merge, to_mapping
from sprachbund.models.speech_encoder import waveform_layers
from sprachbund.models.speech_units.config import SpeechUnitConfig
from sprachbund.models.table import MODELS
from sprachbund.nn.transformer import StackConfig
from sprachbund.tokens.units import UnitModel

FROM_DICTIONARIES = ("vocab_size", "num_units", "num_top_units", "unit_rate")
_STACK = StackConfig(
    dim=32, ffn_dim=64, num_layers=1, num_heads=2, attention_dropout=0.0, layerdrop=0.0, max_relative_distance=20
)


def tiny_config(kind: str, vocab_size: int | None, num_units: int | None, **changes: Any) -> SpeechUnitConfig:
    """One layer of each kind, of width 32; units come at 100 a second, as those of `tiny.unit_model`."""
    config: SpeechUnitConfig = MODELS[kind][0](
        **{
            "vocab_size": vocab_size,
            "num_units": num_units,
            "unit_rate": 100.0,
            "encoder": _STACK,
            "unit_encoder": _STACK,
            "decoder": _STACK if kind == "speechut" else None,
            "conv_layers": waveform_layers(16),
            "frontend_gradient_scale": 1.0,
            "position_kernel": 16,
            "position_groups": 4,
            "unit_dim": 16,
            **changes,
        }
    )
    return config


def model_changes(kind: str, **changes: Any) -> dict[str, Any]:
    """What turns the shipped size "tiny" into `tiny_config`, for the `model.changes` of a recipe."""
    plain = to_mapping(tiny_config(kind, 10, 10, **changes))
    return {key: value for key, value in plain.items() if key not in FROM_DICTIONARIES}


def unit_pairs(texts: Sequence[str], *, reduced: bool = False, seed: int = 0) -> list[tuple[list[int], str]]:
    """A text with units of it: six a letter, two without repetition."""
    generator = np.random.default_rng(seed)
    pairs = []
    for text in texts:
        units = generator.integers(0, tiny.NUM_UNITS - 1, 2 * len(text))
        apart = (np.cumsum(units + 1) % tiny.NUM_UNITS).tolist()  # none like the one before it
        pairs.append((apart if reduced else np.repeat(apart, 3).tolist(), text))
    return pairs


def write_store(
    folder: Path, units: UnitModel, texts: Sequence[str] = tiny.LINES, *, reduced: bool = False, seed: int = 0
) -> Path:
    """The line store of `unit_pairs`."""
    pairs = unit_pairs(texts, reduced=reduced, seed=seed)
    return write_units(folder, pairs, size=units.num_units, fingerprint=units.fingerprint, is_reduced=reduced)


def unit_recipe(kind: str, folder: Path, changes: Mapping[str, Any] | None = None, **run: Any) -> dict[str, Any]:
    """Plain values of a recipe of unit pre-training, with all that it names written below `folder`.

    Args:
        kind: speechlm, or speechut, whose units of text are reduced.
        folder: to write to.
        changes: of the recipe.
        run: changes of the run.
    """
    plain = tiny.encoder_recipe(folder, **run)
    units, reduced = tiny.unit_model(), kind == "speechut"
    tiny.character_tokenizer().save(folder / "tokenizer")
    train = str(write_store(folder / "pairs", units, reduced=reduced))
    valid = str(write_store(folder / "valid-pairs", units, tiny.TEXTS[:3], reduced=reduced, seed=1))
    recipe = {
        "task": "unit_pretraining",
        "model": {"kind": kind, "size": "tiny", "changes": model_changes(kind)},
        "tokenizer": str(folder / "tokenizer"),
        "units": plain["targets"]["units"],
        "speech": plain["speech"],
        "paired": {"train": [train], "valid": [valid], "reduced": reduced, "units_per_frame": 1.0},
        "optimization": plain["optimization"],
        "run": plain["run"],
    }
    if kind == "speechut":
        mono = {"speech": list(plain["speech"]["train"]), "text": [train], "reduced": True, "units_per_frame": 1.0}
        recipe["mono"] = mono | {"masking": {"probability": 0.5, "length": 2}}
    else:
        recipe["paired"] |= {"masking": {"probability": 0.5, "length": 3}}
        recipe["objective"] = {"decoder_weight": 0.0, "masked_unit_weight": 0.0}
    return merge(recipe, changes or {})
