"""A model folder as something that can be used."""

from pathlib import Path

from sprachbund.checkpoints.store import StoredModel, load_model
from sprachbund.decoding.recognizer import Recognizer
from sprachbund.models.table import build_model


def load(folder: Path | str) -> Recognizer:
    """The recognizer in a model folder.

    Raises:
        CheckpointError: the folder is not a sound model folder.
    """
    stored: StoredModel = load_model(Path(folder))
    return Recognizer(build_model(stored, where=str(folder)), stored.tokenizer)
