"""The parts of a run."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from sprachbund.data.batches.batch import Micro
from sprachbund.data.mixture import Collator
from sprachbund.data.streams import Stream
from sprachbund.models.table import AnyModel
from sprachbund.objectives.contrastive import ContrastivePrediction
from sprachbund.objectives.joint_pretraining import JointPretraining
from sprachbund.objectives.language_modeling import LanguageModeling
from sprachbund.objectives.masked_prediction import MaskedPrediction
from sprachbund.objectives.recognition import Recognition
from sprachbund.objectives.sequence import SequenceWriting
from sprachbund.objectives.teacher_features import TeacherRegression
from sprachbund.objectives.text_to_unit import UnitPrediction
from sprachbund.objectives.unit_pretraining import UnitPretraining
from sprachbund.tokens.text import TextTokenizer

Say = Callable[[str], None]
"""Tells a user what should be known about the data."""
Objective = (
    JointPretraining
    | MaskedPrediction
    | ContrastivePrediction
    | TeacherRegression
    | Recognition
    | UnitPrediction
    | UnitPretraining
    | SequenceWriting
    | LanguageModeling
)


@dataclass(frozen=True)
class Assembly:
    """All that a run trains with."""

    objective: Objective
    model: AnyModel
    tokenizer: TextTokenizer | None  # None where no text has a part in the training
    streams: dict[str, Stream]
    collators: dict[str, Collator]
    held_out: list[Micro]
    held_out_cuts: tuple[Any, ...] = ()  # to decode in validation
    facts: dict[str, Any] = field(default_factory=dict)  # written beside the weights
