"""The model card that stands in a model folder."""

from collections.abc import Mapping
from typing import Any

from sprachbund.training.recipe import PretrainingRecipe, Recipe

_TITLES = {"pretraining": "SpeechT5", "encoder_pretraining": "Speech encoder", "recognition": "Speech recognition"}
_PRETRAINED = "It is pre-trained only: fine-tune it with `sprachbund finetune RECIPE init=THIS_FOLDER`."
_TEACHER = "Make units of a layer with `sprachbund tokens fit-units --model THIS_FOLDER --layer N`."
_USES = {
    "pretraining": _PRETRAINED,
    "encoder_pretraining": f"{_PRETRAINED} {_TEACHER}",
    "recognition": "Transcribe with `sprachbund transcribe THIS_FOLDER FILES...`.",
}


def model_card(facts: Mapping[str, Any], recipe: Recipe) -> str:
    """Markdown: what the model is, what it saw, how to use it. Figures are added by whoever measures them."""
    speech = [str(path) for path in recipe.speech.train] if recipe.speech else []
    text_config = recipe.text if isinstance(recipe, PretrainingRecipe) else None
    text = [str(path) for path in text_config.train] if text_config else []
    rows = [f"- {name}: {value}" for name, value in facts.items()]
    lines = [f"# {_TITLES[recipe.task]}", "", _USES[recipe.task], "", "## What it was trained on", ""]
    lines += [f"- speech: {', '.join(speech) or 'none'}", *([f"- text: {', '.join(text)}"] if text else [])]
    lines += ["", "## Facts", "", *rows, "", "The resolved recipe is in `recipe.yaml`. Licences of the data apply.", ""]
    return "\n".join(lines)
