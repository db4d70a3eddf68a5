"""What a run learns from, by fingerprint: a resumed run goes on only with the same."""

from collections.abc import Callable, Iterable
from pathlib import Path

from sprachbund.checkpoints.store import WEIGHTS
from sprachbund.data.storage.shar import speech_fingerprint
from sprachbund.data.text.sources import text_fingerprint
from sprachbund.errors import DataError
from sprachbund.tokens.lexicon import load_lexicon
from sprachbund.training.recipe import Recipe, SpeechRecipe
from sprachbund.training.speech_recipes import PretrainingRecipe
from sprachbund.training.targets import TeacherConfig
from sprachbund.training.text_recipes import (
    LanguageModelRecipe,
    PronunciationRecipe,
    TextToUnitRecipe,
    UnitGenerationRecipe,
)
from sprachbund.training.unit_recipes import UnitPretrainingRecipe

Source = str | Path


def data_fingerprints(recipe: Recipe) -> dict[str, str]:
    """Of the files, Shars, texts and lexicons that the recipe names; one that is missing is told when it is read."""
    if isinstance(recipe, PronunciationRecipe):
        return {recipe.words.lexicon: load_lexicon(recipe.words.lexicon).fingerprint}
    if isinstance(recipe, TextToUnitRecipe | UnitGenerationRecipe):
        return _of((*recipe.paired.train, *recipe.paired.valid), speech_fingerprint)
    if isinstance(recipe, LanguageModelRecipe):
        return _of((*recipe.text.train, *recipe.text.valid), text_fingerprint)
    if isinstance(recipe, UnitPretrainingRecipe):
        return _of(_speech_sources(recipe), speech_fingerprint) | _of(_stores(recipe), text_fingerprint)
    text = recipe.text if isinstance(recipe, PretrainingRecipe) else None
    texts = () if text is None else (*text.train, *text.valid)
    return _of(_speech_sources(recipe), speech_fingerprint) | _of(texts, text_fingerprint)


def _stores(recipe: UnitPretrainingRecipe) -> list[Source]:
    return [*recipe.paired.train, *recipe.paired.valid, *(recipe.mono.text if recipe.mono else ())]


def _speech_sources(recipe: SpeechRecipe) -> list[Source]:
    sources: list[Source] = [] if recipe.speech is None else [*recipe.speech.train, *recipe.speech.valid]
    sources += recipe.mono.speech if isinstance(recipe, UnitPretrainingRecipe) and recipe.mono else ()
    choices = (recipe.augmentation.noise, recipe.augmentation.reverberation)
    sources += [path for choice in choices if choice for path in choice.manifests]
    targets = getattr(recipe, "targets", None)
    if isinstance(targets, TeacherConfig):
        sources.append(targets.model / WEIGHTS)
    return sources


def _of(sources: Iterable[Source], fingerprint: Callable[[Source], str]) -> dict[str, str]:
    found = {}
    for source in sources:
        try:
            found[str(source)] = fingerprint(source)
        except (OSError, DataError):
            continue
    return found
