"""Speech with translations, recipes and model folders of translators, of a few seconds; shared by tests."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

import speech_units
import tiny
from sprachbund.checkpoints.store import StoredModel, save_model
from sprachbund.config import from_mapping, merge, to_mapping
from sprachbund.data.storage.manifest import write_cuts
from sprachbund.models.speech_units.model import SpeechUnitModel
from sprachbund.models.table import MODELS
from sprachbund.tokens.text import CharacterTokenizer

TRANSLATIONS = (
    "Weiß ich.",
    "Ja, gern!",
    "Öl",
    "Wo?",
    "So ist es.",
    "Nein.",
    "Ach was",
    "Gut, gut",
    "Hm",
    "Äh... na ja",
)


def german() -> CharacterTokenizer:
    """Of the letters of `TRANSLATIONS`."""
    return CharacterTokenizer.train(TRANSLATIONS)


def write_corpus(folder: Path, num_clips: int = 8, *, name: str = "clip", without: Sequence[int] = ()) -> Path:
    """A manifest of clips with translations into "de", but for those at the places `without`."""
    cuts = tiny.make_cuts(folder, num_clips, name=name)
    for place, cut in enumerate(cuts):
        said = {} if place in without else {"de": TRANSLATIONS[place % len(TRANSLATIONS)]}
        cut.custom = {"translations": {"fr": "Oui.", **said}}
    path = folder / f"{name}.jsonl.gz"
    write_cuts(cuts, path)
    return path


def translation_recipe(
    folder: Path, kind: str, init: Path | None = None, changes: Mapping[str, Any] | None = None, **run: Any
) -> dict[str, Any]:
    """Plain values of a recipe, with all that it names but `init` written below `folder`."""
    german().save(folder / "german")
    own = speech_units.model_changes(kind, has_ctc_head=False) if init is None else {}
    own.pop("decoder", None)  # where there is none, that of the size is taken, made small
    recipe = {
        "task": "translation",
        "init": None if init is None else str(init),
        "model": {"kind": kind, "size": "tiny", "changes": {**own, "decoder": {"dim": 32, "ffn_dim": 64}}},
        "tokenizer": str(folder / "german"),
        "target": "de",
        "speech": {
            "train": [str(write_corpus(folder / "speech", 8, name="train"))],
            "valid": [str(write_corpus(folder / "speech", 2, name="valid"))],
            "batch_seconds": 3.0,
            "buckets": 2,
        },
        "masking": {"time": 0.3, "time_length": 5, "channel": 0.1, "channel_length": 4},
        "optimization": {"schedule": {"kind": "tri_stage", "peak": 1e-3, "total_steps": 20}},
        "run": {"seed": 3, "steps": 4, "loader_workers": 0, "log_every": 1, "validate_every": 2, **run},
    }
    return merge(recipe, changes or {})


def pretrained(kind: str, seed: int = 0, **changes: Any) -> SpeechUnitModel:
    """A model of seeded weights that knows units and the letters of `tiny.character_tokenizer`."""
    vocabulary = tiny.character_tokenizer().vocabulary
    config = speech_units.tiny_config(kind, len(vocabulary), tiny.NUM_UNITS + 4, **changes)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model: SpeechUnitModel = MODELS[kind][1](config)
    return model.eval()


def write_pretrained(folder: Path, kind: str, seed: int = 0, **changes: Any) -> Path:
    """The model folder of `pretrained`; return the folder."""
    model = pretrained(kind, seed, **changes)
    facts = {"stage": "unit pretraining"}
    save_model(
        folder, StoredModel(kind, to_mapping(model.config), model.state_dict(), tiny.character_tokenizer(), facts)
    )
    return folder


def write_translator(folder: Path, kind: str = "speechut", seed: int = 0, stage: str | None = "translation") -> Path:
    """The model folder of a translator of random weights that says something; return the folder."""
    config = {
        **to_mapping(speech_units.tiny_config(kind, len(german().vocabulary), 10)),
        "num_units": None,
        "has_ctc_head": False,
    }
    if config["decoder"] is None:
        config["decoder"] = config["encoder"]
    config_class, model_class = MODELS[kind]
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = model_class(from_mapping(config_class, config, "here"))
        model.text_head.weight.data.normal_(std=0.7)
        for name, weight in model.encoder.named_parameters():
            if weight.dim() > 1 and "positions" not in name:
                weight.data.mul_(6.0)
    facts = {} if stage is None else {"stage": stage, "target": "de"}
    save_model(folder, StoredModel(kind, to_mapping(model.config), model.state_dict(), german(), facts))
    return folder
