"""The model card that stands in a model folder."""

from collections.abc import Mapping, Sequence
from typing import Any

from sprachbund.training.recipe import Recipe
from sprachbund.training.speech_recipes import PretrainingRecipe
from sprachbund.training.text_recipes import (
    LanguageModelRecipe,
    PronunciationRecipe,
    TextToUnitRecipe,
    UnitGenerationRecipe,
)
from sprachbund.training.unit_recipes import UnitPretrainingRecipe

_TITLES = {
    "pretraining": "SpeechT5",
    "encoder_pretraining": "Speech encoder",
    "unit_pretraining": "SpeechLM or SpeechUT",
    "recognition": "Speech recognition",
    "translation": "Speech translation",
    "text_to_unit": "Phones to units",
    "unit_generation": "Phones to reduced units",
    "pronunciation": "Letters to phones",
    "language_modeling": "Language model",
}
_PRETRAINED = "It is pre-trained only: fine-tune it with `sprachbund finetune RECIPE init=THIS_FOLDER`."
_TEACHER = "Make units of a layer with `sprachbund tokens fit-units --model THIS_FOLDER --layer N`."
_UNITS = "Make units of phones with `sprachbund tokens text-to-units THIS_FOLDER PHONES --out STORE`."
_USES = {
    "pretraining": _PRETRAINED,
    "encoder_pretraining": f"{_PRETRAINED} {_TEACHER}",
    "unit_pretraining": _PRETRAINED,
    "recognition": "Transcribe with `sprachbund transcribe THIS_FOLDER FILES...`.",
    "translation": "Translate with `sprachbund translate THIS_FOLDER FILES...`.",
    "text_to_unit": _UNITS,
    "unit_generation": _UNITS,
    "language_modeling": "Let it help a recogniser: `sprachbund transcribe MODEL FILES... --lm THIS_FOLDER`.",
    "pronunciation": "Use it for words that a lexicon lacks: `sprachbund tokens phonemes TEXT --g2p THIS_FOLDER`.",
}


def model_card(facts: Mapping[str, Any], recipe: Recipe) -> str:
    """Markdown: what the model is, what it saw, how to use it. Figures are added by whoever measures them."""
    rows = [f"- {name}: {value}" for name, value in facts.items()]
    lines = [f"# {_TITLES[recipe.task]}", "", _USES[recipe.task], "", "## What it was trained on", ""]
    lines += [f"- {kind}: {', '.join(map(str, names)) or 'none'}" for kind, names in _data(recipe).items()]
    lines += ["", "## Facts", "", *rows, "", "The resolved recipe is in `recipe.yaml`. Licences of the data apply.", ""]
    return "\n".join(lines)


def _data(recipe: Recipe) -> dict[str, Sequence[object]]:
    """What the recipe trains on, by kind."""
    if isinstance(recipe, PronunciationRecipe):
        return {"lexicon": [recipe.words.lexicon]}
    if isinstance(recipe, TextToUnitRecipe | UnitGenerationRecipe):
        return {"speech with phones and units": recipe.paired.train}
    if isinstance(recipe, LanguageModelRecipe):
        return {"text": recipe.text.train}
    speech: dict[str, Sequence[object]] = {"speech": recipe.speech.train if recipe.speech else ()}
    if isinstance(recipe, UnitPretrainingRecipe):
        alone = (*recipe.mono.speech, *recipe.mono.text) if recipe.mono else ()
        return {**speech, "units with text": recipe.paired.train, "units alone": alone}
    text = recipe.text if isinstance(recipe, PretrainingRecipe) else None
    return speech if text is None else {**speech, "text": text.train}
