"""The model table: one line a model."""

from collections.abc import Mapping
from typing import Any

import torch

from sprachbund.checkpoints.store import StoredModel
from sprachbund.config import from_mapping, nearest
from sprachbund.errors import CheckpointError, RecipeError
from sprachbund.models.hubert.config import HubertConfig
from sprachbund.models.hubert.model import Hubert
from sprachbund.models.language_model.config import TransformerLanguageConfig
from sprachbund.models.language_model.model import TransformerLanguageModel
from sprachbund.models.sequence.config import SequenceConfig
from sprachbund.models.sequence.model import SequenceModel
from sprachbund.models.speech_encoder import SpeechEncoder
from sprachbund.models.speechlm.config import SpeechLMConfig
from sprachbund.models.speechlm.model import SpeechLM
from sprachbund.models.speecht5.config import SpeechT5Config
from sprachbund.models.speecht5.model import SpeechT5
from sprachbund.models.speechut.config import SpeechUTConfig
from sprachbund.models.speechut.model import SpeechUT
from sprachbund.models.text_to_unit.config import TextToUnitConfig
from sprachbund.models.text_to_unit.model import TextToUnit
from sprachbund.shapes import Tensor

MODELS: dict[str, tuple[Any, Any]] = {
    "hubert": (HubertConfig, Hubert),
    "speecht5": (SpeechT5Config, SpeechT5),
    "speechlm": (SpeechLMConfig, SpeechLM),
    "speechut": (SpeechUTConfig, SpeechUT),
    "text_to_unit": (TextToUnitConfig, TextToUnit),
    "sequence": (SequenceConfig, SequenceModel),
    "language_model": (TransformerLanguageConfig, TransformerLanguageModel),
}
TextModel = TextToUnit | SequenceModel
AnyModel = SpeechEncoder | TextModel | TransformerLanguageModel


def build_model(stored: StoredModel, where: str) -> SpeechEncoder:
    """The model of speech in a model folder, with its weights.

    Raises:
        CheckpointError: it reads text, or as `build_any`.
    """
    model = build_any(stored, where)
    if not isinstance(model, SpeechEncoder):
        raise CheckpointError(
            "this model reads text, and one of speech is wanted",
            where=where,
            given=f"{stored.kind}, {stored.facts.get('stage', 'unknown stage')}",
            mend="Name the model folder of a speech encoder.",
        )
    return model


def build_text_model(stored: StoredModel, where: str) -> TextModel:
    """The model of text in a model folder (text to units, letters to phones), with its weights.

    Raises:
        CheckpointError: it reads speech, or as `build_any`.
    """
    model = build_any(stored, where)
    if not isinstance(model, TextModel):
        reads = (
            "speech, and one of text" if isinstance(model, SpeechEncoder) else "what was written, and one of sources"
        )
        raise CheckpointError(
            f"this model reads {reads} is wanted",
            where=where,
            given=stored.kind,
            mend="Name a model folder of `sprachbund tokens train-t2u` or `sprachbund tokens train-g2p`.",
        )
    return model


def build_language_model(stored: StoredModel, where: str) -> TransformerLanguageModel:
    """The language model in a model folder, with its weights.

    Raises:
        CheckpointError: it is another kind of model, or as `build_any`.
    """
    model = build_any(stored, where)
    if not isinstance(model, TransformerLanguageModel):
        raise CheckpointError(
            "this is no language model",
            where=where,
            given=stored.kind,
            mend="Name a model folder of `sprachbund lm train`.",
        )
    return model


def build_any(stored: StoredModel, where: str) -> AnyModel:
    """The model of a model folder, whatever it reads, with its weights.

    Raises:
        CheckpointError: an unknown kind, a configuration of another version, weights or a vocabulary of another model.
    """
    if stored.kind not in MODELS:
        mend = nearest(stored.kind, list(MODELS))
        raise CheckpointError(
            "this model folder holds an unknown kind of model", where=where, given=stored.kind, mend=mend
        )
    config_class, model_class = MODELS[stored.kind]
    try:
        config = from_mapping(config_class, stored.config, where)
    except RecipeError as error:
        raise CheckpointError(
            f"the configuration of this model cannot be used: {error.what}",
            where=error.where,
            given=error.given,
            mend=error.mend or "Put back the config.json that was saved with the weights.",
        ) from None
    num_symbols = None if stored.tokenizer is None else len(stored.tokenizer.vocabulary)
    if config.vocab_size != num_symbols:
        raise CheckpointError(
            "the vocabulary does not match the weights",
            where=where,
            given=f"{num_symbols or 'no'} symbols, the model has {config.vocab_size or 'none'}",
            mend="Put back the tokenizer the model was trained with.",
        )
    try:
        # Without memory first: a size that the weights do not have may ask for more than there is.
        with torch.device("meta"):
            check_weights(model_class(config), stored.weights, where)
        model = model_class(config)
    except (ArithmeticError, AssertionError, IndexError, RuntimeError, TypeError, ValueError) as error:
        # Sizes that a person wrote into config.json and that no layer can have.
        raise CheckpointError(
            "no model can be built from this configuration",
            where=where,
            given=" ".join(str(error).split()),
            mend="Put back the config.json that was saved with the weights.",
        ) from None
    model.load_state_dict(dict(stored.weights))
    result: AnyModel = model.eval()
    return result


def kind_of(model: AnyModel) -> str:
    """The name of a model in the table."""
    return next(kind for kind, (_, model_class) in MODELS.items() if type(model) is model_class)


def check_weights(model: torch.nn.Module, weights: Mapping[str, Tensor], where: str) -> None:
    """Weights must fit their model name for name and shape for shape.

    Raises:
        CheckpointError: names the first weight that does not fit.
    """
    wanted = {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}
    given = {name: tuple(tensor.shape) for name, tensor in weights.items()}
    wrong = sorted(name for name in wanted.keys() | given.keys() if wanted.get(name) != given.get(name))
    if wrong:
        name = wrong[0]
        raise CheckpointError(
            f"{len(wrong)} weights do not fit the model, first of them {name}",
            where=where,
            given=f"{given.get(name, 'missing')}, the model wants {wanted.get(name, 'none')}",
            mend="Use the weights and the config.json of one model folder.",
        )
