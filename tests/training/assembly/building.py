"""The parts of runs, built of plain recipes."""

from typing import Any

from sprachbund.config import from_mapping, merge
from sprachbund.data.streams import CutStream
from sprachbund.training.assembly.assemble import assemble
from sprachbund.training.assembly.parts import Assembly
from sprachbund.training.speech_recipes import (
    EncoderPretrainingRecipe,
    PretrainingRecipe,
    RecognitionRecipe,
    TranslationRecipe,
)
from sprachbund.training.unit_recipes import UnitPretrainingRecipe

KINDS: dict[str, Any] = {
    "pretraining": PretrainingRecipe,
    "encoder_pretraining": EncoderPretrainingRecipe,
    "unit_pretraining": UnitPretrainingRecipe,
    "recognition": RecognitionRecipe,
    "translation": TranslationRecipe,
}


def build(plain: dict[str, Any], changes: dict[str, Any] | None = None) -> tuple[Assembly, str]:
    """The parts of a run, and what a user is told."""
    told: list[str] = []
    plain = merge(plain, changes or {})
    return assemble(from_mapping(KINDS[plain["task"]], plain, "test"), told.append), "\n".join(told)


def ids(stream: object) -> set[str]:
    """Names of the clips of a stream."""
    assert isinstance(stream, CutStream)
    return {cut.id for cut in stream.cuts}
