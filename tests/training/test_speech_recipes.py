from pathlib import Path
from typing import Any

import pytest

import tiny
from sprachbund.config import from_mapping, merge, to_mapping
from sprachbund.errors import RecipeError
from sprachbund.training.speech_recipes import (
    EncoderPretrainingRecipe,
    MaskingConfig,
    PretrainingRecipe,
    RecognitionRecipe,
    SpeechConfig,
    TextConfig,
    TranslationRecipe,
)

SPEECH = {"train": ["train.jsonl.gz"]}


def test_recipes_go_there_and_back(tmp_path: Path) -> None:
    for kind, plain in (
        (PretrainingRecipe, tiny.pretraining_recipe(tmp_path / "joint")),
        (EncoderPretrainingRecipe, tiny.encoder_recipe(tmp_path / "encoder")),
        (RecognitionRecipe, tiny.recognition_recipe(tmp_path / "recognition")),
    ):
        recipe: Any = from_mapping(kind, plain, "test")
        assert from_mapping(kind, to_mapping(recipe), "test") == recipe
        assert isinstance(recipe.speech, SpeechConfig) and isinstance(recipe.masking, MaskingConfig)


@pytest.mark.parametrize(("task", "kind"), [("joint", "speechut"), ("joint", "hubert"), ("encoder", "speecht5")])
def test_a_family_that_the_task_cannot_train_is_refused(tmp_path: Path, task: str, kind: str) -> None:
    """What it does train may be named."""
    if task == "joint":
        recipe, plain, own = PretrainingRecipe, tiny.pretraining_recipe(tmp_path), "speecht5"
    else:
        recipe, plain, own = EncoderPretrainingRecipe, tiny.encoder_recipe(tmp_path), "hubert"  # type: ignore[assignment]  # another class
    from_mapping(recipe, merge(plain, {"model": {"kind": own}}), "test")
    with pytest.raises(RecipeError, match=f"model.kind is {kind}, and this task trains {own}"):
        from_mapping(recipe, merge(plain, {"model": {"kind": kind}}), "test")


def test_translation_is_the_decoders_alone() -> None:
    plain = {"task": "translation", "tokenizer": "tokenizer", "target": "de", "speech": SPEECH}
    recipe = from_mapping(TranslationRecipe, plain, "test")
    assert (recipe.objective.decoder_weight, recipe.objective.ctc_weight) == (1.0, 0.0)
    for changes in ({"ctc_weight": 0.5}, {"decoder_weight": 0.0}):
        with pytest.raises(RecipeError, match="the decoder's alone"):
            from_mapping(TranslationRecipe, {**plain, "objective": changes}, "test")


def test_random_weights_want_a_tokenizer() -> None:
    with pytest.raises(RecipeError, match="a tokenizer is needed"):
        from_mapping(RecognitionRecipe, {"task": "recognition", "speech": SPEECH}, "test")


@pytest.mark.parametrize("changes", [{"batch_seconds": 0.0}, {"max_seconds": -1.0}, {"buckets": 0}])
def test_speech_of_no_length_is_refused(changes: dict[str, float]) -> None:
    with pytest.raises(RecipeError, match="above 0"):
        from_mapping(SpeechConfig, SPEECH | changes, "test")


def test_text_is_noised_as_published() -> None:
    text = from_mapping(TextConfig, {"train": ["a.txt"]}, "test")
    assert (text.mask, text.mask_random, text.span, text.tokens_per_sample) == (0.3, 0.1, 3.5, 0.0086)
