"""Recipes -> the parts of a run: the objective with its model, the streams and collators, the held-out batches."""

import torch

from sprachbund.training.assembly.encoder import assemble_encoder_pretraining
from sprachbund.training.assembly.joint import assemble_pretraining
from sprachbund.training.assembly.parts import Assembly, Say
from sprachbund.training.assembly.recognition import assemble_recognition
from sprachbund.training.recipe import EncoderPretrainingRecipe, PretrainingRecipe, Recipe


def assemble(recipe: Recipe, say: Say) -> Assembly:
    """Build the parts of a run; `say` is told what a user should know about the data.

    Raises:
        SprachbundError: a file of the recipe is missing or does not fit the others.
    """
    torch.manual_seed(recipe.run.seed)
    if isinstance(recipe, PretrainingRecipe):
        return assemble_pretraining(recipe, say)
    if isinstance(recipe, EncoderPretrainingRecipe):
        return assemble_encoder_pretraining(recipe, say)
    return assemble_recognition(recipe, say)
