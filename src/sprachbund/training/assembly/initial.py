"""The model that a run begins with."""

from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from sprachbund.checkpoints.store import StoredModel
from sprachbund.config import from_mapping, merge, to_mapping
from sprachbund.errors import CheckpointError
from sprachbund.models.hubert.config import HubertConfig
from sprachbund.models.hubert.model import Hubert
from sprachbund.models.language_model.config import TransformerLanguageConfig
from sprachbund.models.sequence.config import SequenceConfig
from sprachbund.models.speech_encoder import SpeechEncoderConfig
from sprachbund.models.table import build_model
from sprachbund.models.text_to_unit.config import TextToUnitConfig
from sprachbund.tokens.text import TextTokenizer
from sprachbund.training.choices import ModelChoice
from sprachbund.training.text_recipes import LanguageModelChoice, SequenceChoice, TextToUnitChoice

HEADS = ("unit_predictor.", "ctc_head.", "contrastive_head.")

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
