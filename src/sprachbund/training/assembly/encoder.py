"""The parts of pre-training an encoder by what it tells of masked frames."""

from dataclasses import replace

from sprachbund.data.batches.batch import Micro
from sprachbund.training.assembly.parts import Assembly, Say
from sprachbund.training.assembly.speech import augmenter_of, cut_stream, held_out_cuts
from sprachbund.training.assembly.targets import learning_of
from sprachbund.training.speech_recipes import EncoderPretrainingRecipe


def assemble_encoder_pretraining(recipe: EncoderPretrainingRecipe, say: Say) -> Assembly:
    """An encoder, what it learns by, and its stream of speech."""
    learning = learning_of(recipe, say)
    cuts, collator = learning.cuts, learning.collator
    held_out: list[Micro] = held_out_cuts(recipe.speech, collator, "speech", recipe.run.valid_clips, say)[1]
    facts = {
        "stage": "encoder pretraining",
        "init": None if recipe.init is None else str(recipe.init),
        "targets": recipe.targets.kind,
        **learning.facts,
    }
    return Assembly(
        learning.objective,
        learning.model,
        None,
        {"speech": cut_stream(cuts, recipe.speech, recipe.run.seed)},
        {"speech": replace(collator, augmenter=augmenter_of(recipe, cuts, say))},
        held_out,
        facts=facts,
    )
