"""Recipes -> the parts of a run: the objective with its model, the streams and collators, the held-out batches."""

from collections.abc import Callable
from typing import Any

import torch

from sprachbund.training.assembly.encoder import assemble_encoder_pretraining
from sprachbund.training.assembly.joint import assemble_pretraining
from sprachbund.training.assembly.language_modeling import assemble_language_modeling
from sprachbund.training.assembly.parts import Assembly, Say
from sprachbund.training.assembly.pronunciation import assemble_pronunciation
from sprachbund.training.assembly.recognition import assemble_recognition
from sprachbund.training.assembly.text_to_unit import assemble_text_to_unit, assemble_unit_generation
from sprachbund.training.assembly.translation import assemble_translation
from sprachbund.training.assembly.unit_pretraining import assemble_unit_pretraining
from sprachbund.training.recipe import Recipe
from sprachbund.training.speech_recipes import (
    EncoderPretrainingRecipe,
    PretrainingRecipe,
    RecognitionRecipe,
    TranslationRecipe,
)
from sprachbund.training.text_recipes import (
    LanguageModelRecipe,
    PronunciationRecipe,
    TextToUnitRecipe,
    UnitGenerationRecipe,
)
from sprachbund.training.unit_recipes import UnitPretrainingRecipe

_ASSEMBLERS: dict[type[Recipe], Callable[[Any, Say], Assembly]] = {
    PretrainingRecipe: assemble_pretraining,
    EncoderPretrainingRecipe: assemble_encoder_pretraining,
    UnitPretrainingRecipe: assemble_unit_pretraining,
    RecognitionRecipe: assemble_recognition,
    TranslationRecipe: assemble_translation,
    TextToUnitRecipe: assemble_text_to_unit,
    UnitGenerationRecipe: assemble_unit_generation,
    PronunciationRecipe: assemble_pronunciation,
    LanguageModelRecipe: assemble_language_modeling,
}


def assemble(recipe: Recipe, say: Say) -> Assembly:
    """Build the parts of a run; `say` is told what a user should know about the data.

    Raises:
        SprachbundError: a file of the recipe is missing or does not fit the others.
    """
    torch.manual_seed(recipe.run.seed)
    return _ASSEMBLERS[type(recipe)](recipe, say)
