"""A model folder as something that can be used."""

from pathlib import Path

from sprachbund.checkpoints.store import StoredModel, load_model
from sprachbund.decoding.recognition.recognizer import Recognizer
from sprachbund.errors import CheckpointError
from sprachbund.models.table import build_model


def load(folder: Path | str) -> Recognizer:
    """The recognizer in a model folder.

    Raises:
        CheckpointError: the folder is not a sound model folder.
    """
    stored: StoredModel = load_model(Path(folder))
    model = build_model(stored, where=str(folder))
    if stored.tokenizer is None or (model.ctc_head is None and not model.has_text_decoder):
        raise CheckpointError(
            "this model does not transcribe",
            where=folder,
            given=f"{stored.kind}, {stored.facts.get('stage', 'unknown stage')}",
            mend="Fine-tune it with `sprachbund finetune` first.",
        )
    return Recognizer(model, stored.tokenizer)
