"""Speech encoders that transformers has trained, as encoders of ours, and back."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch

from sprachbund.checkpoints.store import StoredModel, weights_fingerprint
from sprachbund.checkpoints.transformers_folder import read_transformers, write_transformers_folder
from sprachbund.config import to_mapping
from sprachbund.errors import CheckpointError
from sprachbund.models.hubert.transformers_keys import (
    config_from_transformers,
    rename,
    to_preprocessor,
    to_transformers,
    to_transformers_names,
)
from sprachbund.models.speech_encoder import SpeechEncoder
from sprachbund.models.table import build_model

_MASK = "speech_prenet.mask_embedding.vector"


@dataclass(frozen=True)
class ForeignEncoder:
    """An encoder in our form, and what got lost on the way."""

    encoder: SpeechEncoder
    unused: tuple[str, ...]  # original names of weights that have no place in it
    guesses: tuple[str, ...]  # what the folder did not say, as clauses
    facts: Mapping[str, str]


def read_foreign(path: Path) -> ForeignEncoder:
    """The encoder in a folder of transformers: HuBERT, wav2vec 2.0, WavLM or the audio model of data2vec.

    Raises:
        CheckpointError: the folder is damaged, or holds an encoder with parts that ours does not have.
    """
    folder = read_transformers(path)
    try:
        config = config_from_transformers(folder.config, folder.preprocessor)
        names, unused = rename(folder.weights)
    except CheckpointError as error:
        where = path if error.where is None else f"{error.where} of {path}"
        raise CheckpointError(error.what, where=where, given=error.given, mend=error.mend) from None
    weights = {ours: folder.weights[theirs] for theirs, ours in names.items()}
    guesses = []
    if folder.preprocessor.get("do_normalize") is None:
        guesses.append(
            f"waveforms {'normalised' if config.is_normalized else 'as they are'}, after the front-end's norm"
        )
    if _MASK not in weights:
        weights[_MASK] = torch.zeros(config.encoder.dim)
        guesses.append("a mask embedding of zeros")
    encoder = build_model(StoredModel("hubert", to_mapping(config), weights, None), where=str(path))
    architectures = folder.config.get("architectures")
    architecture = architectures[0] if isinstance(architectures, list) and architectures else None
    facts = {
        "source": f"{path.resolve().name}, a folder of transformers",
        "architecture": architecture if isinstance(architecture, str) else "not said",
        "source_weights": weights_fingerprint(folder.weights),
    }
    return ForeignEncoder(encoder, unused, tuple(guesses), facts)


def write_transformers(encoder: SpeechEncoder, out: Path) -> tuple[str, ...]:
    """Write the encoder as a folder that transformers loads as HuBERT; return our weights that have no place there.

    Raises:
        CheckpointError: the encoder has what HuBERT has not.
        DataError: `out` holds something already.
    """
    config, preprocessor = to_transformers(encoder.config), to_preprocessor(encoder.config)
    weights = encoder.state_dict()
    renamed = to_transformers_names(weights)
    theirs = {name: weights[ours] for ours, name in renamed.names.items()}
    write_transformers_folder(out, config, preprocessor, theirs)
    return renamed.unused
