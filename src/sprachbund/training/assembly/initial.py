"""The model that a run begins with."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar, get_args

import torch

from sprachbund.checkpoints.store import StoredModel
from sprachbund.config import from_mapping, merge, to_mapping
from sprachbund.errors import CheckpointError
from sprachbund.models.hubert.config import HubertConfig
from sprachbund.models.hubert.model import Hubert
from sprachbund.models.language_model.config import TransformerLanguageConfig
from sprachbund.models.sequence.config import SequenceConfig
from sprachbund.models.speech_encoder import SpeechEncoder, SpeechEncoderConfig
from sprachbund.models.table import MODELS, build_model
from sprachbund.models.text_to_unit.config import TextToUnitConfig
from sprachbund.tokens.text import TextTokenizer
from sprachbund.training.assembly.parts import Say
from sprachbund.training.choices import Family, ModelChoice
from sprachbund.training.text_recipes import LanguageModelChoice, SequenceChoice, TextToUnitChoice

HEADS = ("unit_predictor.", "ctc_head.", "contrastive_head.")
SPEECH_KINDS: tuple[str, ...] = get_args(Family)
# What a model gains when it is to write text.
TEXT_PARTS = ("ctc_head.", "decoder.", "text_decoder_prenet.", "text_head.", "text_prenet.")

Config = TypeVar("Config", bound=SpeechEncoderConfig | SequenceConfig | TextToUnitConfig | TransformerLanguageConfig)
Choice = ModelChoice | SequenceChoice | TextToUnitChoice | LanguageModelChoice


def sized(kind: type[Config], choice: Choice, **sizes: Any) -> Config:
    """The configuration of the chosen size with the recipe's changes.

    Args:
        kind: the class of the configuration.
        choice: the size and its changes.
        sizes: entries of the dictionaries, and other fields that follow from the rest of the recipe.
    """
    config = getattr(kind, choice.size)(**sizes)
    return from_mapping(kind, merge(to_mapping(config), choice.changes), "model")


def encoder_of(
    stored: StoredModel, folder: Path, choice: ModelChoice, tokenizer: TextTokenizer | None, **heads: Any
) -> Hubert:
    """The encoder of a model folder, with new heads for other targets than those it was trained on.

    Args:
        stored: what is in the folder.
        folder: its name, to tell in errors.
        choice: changes of its configuration.
        tokenizer: of the text that a CTC head is to be over; None for a model without one.
        heads: what else the configuration says of targets, such as `num_units` and `unit_rate`.

    Raises:
        CheckpointError: the folder holds another kind of model, or weights that do not fit.
    """
    if stored.kind != "hubert":
        raise CheckpointError(
            "this model is not an encoder alone, and the task wants one",
            where=folder,
            given=stored.kind,
            mend="Name a model folder of HuBERT, or leave `init` out.",
        )
    heads["vocab_size"] = None if tokenizer is None else len(tokenizer.vocabulary)
    config = from_mapping(HubertConfig, dict(stored.config), str(folder))
    config = from_mapping(HubertConfig, merge(to_mapping(replace(config, **heads)), choice.changes), "model")
    fresh = Hubert(config).state_dict()
    weights = {name: value for name, value in stored.weights.items() if not name.startswith(HEADS)}
    weights |= {name: value for name, value in fresh.items() if name.startswith(HEADS)}
    changed: StoredModel = replace(stored, config=to_mapping(config), weights=weights, tokenizer=tokenizer)
    model = build_model(changed, where=str(folder))
    assert isinstance(model, Hubert)
    return model


def adapted(
    stored: StoredModel, config: Mapping[str, Any], tokenizer: TextTokenizer, where: Path, say: Say
) -> SpeechEncoder:
    """A stored model with other parts for text: what it has is kept, if its vocabulary is, and the rest begins anew.

    Args:
        stored: what is in the folder.
        config: of the model that is wanted, plain; parts that it leaves out are dropped.
        tokenizer: of its text.
        where: the folder.
        say: is told what begins with random weights.

    Raises:
        CheckpointError: the weights lack more than that, or do not fit.
    """
    config_class, model_class = MODELS[stored.kind]
    fresh: dict[str, Any] = model_class(from_mapping(config_class, config, str(where))).state_dict()
    is_same = stored.tokenizer is not None and stored.tokenizer.vocabulary == tokenizer.vocabulary
    dependent = frozenset[str]() if is_same else _vocabulary_weights(stored.kind, config)
    kept = {name: value for name, value in stored.weights.items() if name in fresh and name not in dependent}
    new = {name: value for name, value in fresh.items() if name not in kept and name.startswith(TEXT_PARTS)}
    if new:
        parts = sorted({name.partition(".")[0] for name in new})
        say(f"Begun with random weights, as {where} has none for this vocabulary: {', '.join(parts)}.")
    changed = replace(stored, config=dict(config), weights={**kept, **new}, tokenizer=tokenizer)
    return build_model(changed, where=str(where))


def without_units(config: Mapping[str, Any]) -> dict[str, Any]:
    """The plain configuration of a SpeechLM or SpeechUT without the parts that read and tell units."""
    unknown = {name: None for name in ("num_units", "num_top_units") if name in config}
    return {**config, **unknown}


def _vocabulary_weights(kind: str, config: Mapping[str, Any]) -> frozenset[str]:
    """Names of the weights that have a row for each symbol of the text."""
    config_class, model_class = MODELS[kind]
    larger = {**config, "vocab_size": config["vocab_size"] + 1}
    with torch.device("meta"):
        one, other = (model_class(from_mapping(config_class, each, kind)).state_dict() for each in (config, larger))
    return frozenset(name for name in one if one[name].shape != other[name].shape)
