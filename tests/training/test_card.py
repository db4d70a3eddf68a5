from pathlib import Path

import speech_units
import tiny
from language_text import language_recipe
from sprachbund.config import from_mapping
from sprachbund.training.card import model_card
from sprachbund.training.speech_recipes import EncoderPretrainingRecipe, PretrainingRecipe, RecognitionRecipe
from sprachbund.training.text_recipes import LanguageModelRecipe
from sprachbund.training.unit_recipes import UnitPretrainingRecipe


def test_the_card_of_a_pretrained_model(tmp_path: Path) -> None:
    plain = tiny.pretraining_recipe(tmp_path)
    card = model_card(
        {"stage": "pretraining", "unit_model": "0123abcd"}, from_mapping(PretrainingRecipe, plain, "test")
    )
    assert card.startswith("# SpeechT5\n")
    assert card.endswith("\n")
    for told in (
        "pre-trained only",
        "sprachbund finetune",
        f"- speech: {plain['speech']['train'][0]}",
        f"- text: {plain['text']['train'][0]}",
        "- stage: pretraining",
        "- unit_model: 0123abcd",
        "`recipe.yaml`",
    ):
        assert told in card


def test_the_card_of_a_recogniser(tmp_path: Path) -> None:
    plain = tiny.recognition_recipe(tmp_path)
    card = model_card({"steps": 6}, from_mapping(RecognitionRecipe, plain, "test"))
    assert "sprachbund transcribe" in card
    assert "fine-tune it" not in card
    assert f"- speech: {plain['speech']['train'][0]}" in card
    assert "- text:" not in card
    assert "- steps: 6" in card


def test_the_card_of_a_language_model(tmp_path: Path) -> None:
    plain = language_recipe(tmp_path)
    card = model_card({"steps": 6}, from_mapping(LanguageModelRecipe, plain, "test"))
    assert card.startswith("# Language model\n")
    assert "--lm THIS_FOLDER" in card
    assert f"- text: {plain['text']['train'][0]}" in card


def test_a_stream_that_is_not_there_is_told(tmp_path: Path) -> None:
    plain = tiny.pretraining_recipe(tmp_path) | {"speech": None}
    card = model_card({}, from_mapping(PretrainingRecipe, plain, "test"))
    assert "- speech: none" in card


def test_the_card_of_an_encoder(tmp_path: Path) -> None:
    plain = tiny.encoder_recipe(tmp_path)
    card = model_card({"targets": "units"}, from_mapping(EncoderPretrainingRecipe, plain, "test"))
    assert card.startswith("# Speech encoder\n")
    for told in ("sprachbund finetune", "sprachbund tokens fit-units --model", "- targets: units"):
        assert told in card
    assert f"- speech: {plain['speech']['train'][0]}" in card


def test_the_card_of_a_model_that_learned_through_units(tmp_path: Path) -> None:
    plain = speech_units.unit_recipe("speechut", tmp_path)
    card = model_card({"num_units": 6}, from_mapping(UnitPretrainingRecipe, plain, "test"))
    speech, pairs = plain["speech"]["train"][0], plain["paired"]["train"][0]
    assert "fine-tune it" in card
    assert f"- speech: {speech}\n- units with text: {pairs}\n- units alone: {speech}, {pairs}\n" in card
    alone = model_card({}, from_mapping(UnitPretrainingRecipe, plain | {"mono": None}, "test"))
    assert "- units alone: none\n" in alone
