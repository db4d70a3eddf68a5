from pathlib import Path
from typing import Any

import pytest
import torch

import speech_units
import tiny
from sprachbund.checkpoints.store import StoredModel, load_model, save_model
from sprachbund.config import to_mapping
from sprachbund.data.batches.batch import TranscribedBatch
from sprachbund.data.batches.collate import (
    TranscribedCollator,
)
from sprachbund.data.storage.manifest import write_cuts
from sprachbund.errors import CheckpointError, DataError, RecipeError
from sprachbund.models.hubert.model import Hubert
from sprachbund.models.table import MODELS
from sprachbund.nn.contrastive import ContrastiveHeadConfig
from sprachbund.objectives.recognition import Recognition
from sprachbund.tokens.text import CharacterTokenizer
from training.assembly.building import build, ids


def test_the_parts_of_recognition(tmp_path: Path) -> None:
    assembly, told = build(tiny.recognition_recipe(tmp_path))
    assert isinstance(assembly.objective, Recognition)
    collator = assembly.collators["transcribed"]
    assert isinstance(collator, TranscribedCollator)
    assert collator.time_masking is not None
    assert (collator.time_masking.probability, collator.time_masking.length) == (0.3, 5)
    assert collator.channel_masking is not None
    assert (collator.channel_masking.probability, collator.num_channels) == (0.1, 32)
    [micro] = assembly.held_out
    batch = micro["transcribed"]
    assert isinstance(batch, TranscribedBatch)
    # Held-out clips are heard whole.
    assert (batch.time_mask, batch.channel_mask) == (None, None)
    assert [cut.id for cut in assembly.held_out_cuts] == list(batch.ids) == ["valid-000", "valid-001"]
    assert assembly.facts == {"stage": "recognition", "init": None}
    assert told == ""


def test_recognition_begins_with_the_weights_of_a_folder(tmp_path: Path) -> None:
    folder = tiny.write_model_folder(tmp_path / "model", seed=5)
    plain = tiny.recognition_recipe(tmp_path, init=folder)
    assembly, _ = build(plain, {"model": {"changes": {"dropout": 0.25}}})
    expected = tiny.tiny_model(5).state_dict()
    given = assembly.model.state_dict()
    assert all(torch.equal(given[name], expected[name]) for name in expected)
    assert assembly.model.config.dropout == 0.25
    assert assembly.tokenizer.vocabulary == tiny.character_tokenizer().vocabulary
    assert assembly.facts == {"stage": "recognition", "init": str(folder)}


def test_a_vocabulary_that_does_not_fit_the_weights_is_refused(tmp_path: Path) -> None:
    folder = tiny.write_model_folder(tmp_path / "model")
    CharacterTokenizer.train(["other text"]).save(tmp_path / "other")
    plain = tiny.recognition_recipe(tmp_path, init=folder)
    with pytest.raises(CheckpointError, match="vocabulary of the recipe"):
        build(plain, {"tokenizer": str(tmp_path / "other")})
    tiny.character_tokenizer().save(tmp_path / "same")
    build(plain, {"tokenizer": str(tmp_path / "same")})


def test_a_size_that_does_not_fit_the_weights_is_refused(tmp_path: Path) -> None:
    folder = tiny.write_model_folder(tmp_path / "model")
    plain = tiny.recognition_recipe(tmp_path, init=folder)
    with pytest.raises(CheckpointError, match="do not fit the model"):
        build(plain, {"model": {"changes": {"unit_dim": 12}}})


def test_clips_that_cannot_be_transcribed_are_left_out_and_told(tmp_path: Path) -> None:
    plain = tiny.recognition_recipe(tmp_path)
    # 1, 6, 19 and 99 frames; "ab" has three tokens with its word mark, "ba c" has five, "cab" and "a b" have four.
    mixed = tiny.write_corpus(tmp_path / "mixed", samples=(400, 2_000, 6_400, 32_000), name="mixed")
    changes = {"speech": {"train": [str(mixed)], "min_seconds": 0.0, "max_seconds": 1.5}}
    assembly, told = build(plain, changes)
    assert ids(assembly.streams["transcribed"]) == {"mixed-001", "mixed-002"}
    assert "1 clips are longer than 1.5 s" in told
    assert "1 clips have no text, or more of it than frames" in told
    with pytest.raises(DataError, match="no clip can be trained on"):
        build(plain, {"speech": {"train": [str(mixed)], "max_seconds": 0.3}})


def test_ctc_wants_a_blank_between_equal_letters(tmp_path: Path) -> None:
    plain = tiny.recognition_recipe(tmp_path)
    # "|ebb" has four tokens and wants five frames.
    four, five = 80 + 4 * 320, 80 + 5 * 320
    cuts = list(tiny.make_cuts(tmp_path / "short", samples=(four, five)))
    for cut in cuts:
        cut.supervisions[0].text = "ebb"
    write_cuts(cuts, tmp_path / "short" / "short.jsonl.gz")
    changes = {"speech": {"train": [str(tmp_path / "short" / "short.jsonl.gz")], "min_seconds": 0.0}}
    assembly, told = build(plain, changes)
    assert ids(assembly.streams["transcribed"]) == {"clip-001"}
    assert "1 clips have no text, or more of it than frames" in told


CTC_ALONE = {"objective": {"decoder_weight": 0.0}}


def test_an_encoder_that_knows_no_text_gets_a_head_of_the_recipes_tokenizer(tmp_path: Path) -> None:
    folder = tiny.write_hubert_folder(tmp_path / "model", seed=5, contrastive=ContrastiveHeadConfig(dim=8))
    tiny.character_tokenizer().save(tmp_path / "text")
    plain = tiny.recognition_recipe(tmp_path, init=folder) | {"tokenizer": str(tmp_path / "text")}
    assembly, _ = build(plain, CTC_ALONE)
    model, before = assembly.model, load_model(folder).weights
    assert isinstance(model, Hubert)
    vocabulary = tiny.character_tokenizer().vocabulary
    assert (model.config.vocab_size, model.config.num_units, model.config.contrastive) == (len(vocabulary), None, None)
    assert assembly.tokenizer is not None and assembly.tokenizer.vocabulary == vocabulary
    after = model.state_dict()
    kept = {name for name in before if not name.startswith(("unit_predictor.", "contrastive_head."))}
    assert after.keys() == kept | {"ctc_head.weight", "ctc_head.bias"}
    assert all(torch.equal(after[name], before[name]) for name in kept)
    assert assembly.facts == {"stage": "recognition", "init": str(folder)}
    # With text it is fine-tuned further as any recogniser.
    tuned = tiny.write_hubert_folder(tmp_path / "tuned", vocab_size=len(vocabulary), num_units=None)
    again, _ = build(tiny.recognition_recipe(tmp_path / "again", init=tuned), CTC_ALONE)
    assert torch.equal(again.model.state_dict()["ctc_head.weight"], load_model(tuned).weights["ctc_head.weight"])


def test_what_an_encoder_cannot_be_fine_tuned_by_is_refused(tmp_path: Path) -> None:
    folder = tiny.write_hubert_folder(tmp_path / "model")
    tiny.character_tokenizer().save(tmp_path / "text")
    plain = tiny.recognition_recipe(tmp_path, init=folder)
    with pytest.raises(CheckpointError, match="know no text") as caught:
        build(plain, CTC_ALONE)
    assert "`tokenizer`" in str(caught.value)
    with pytest.raises(RecipeError, match="no text decoder") as refused:
        build(plain, {"tokenizer": str(tmp_path / "text")})
    assert "objective.decoder_weight to 0" in str(refused.value)


@pytest.mark.parametrize("kind", ["speecht5", "hubert", "speechlm", "speechut"])
def test_every_family_begins_with_random_weights(kind: str, tmp_path: Path) -> None:
    """Without what only units would teach, where it can be without."""
    plain = tiny.recognition_recipe(tmp_path)
    plain["model"] = {"kind": kind, "size": "tiny"}
    has_decoder = kind in ("speecht5", "speechut")
    assembly, told = build(plain, {} if has_decoder else CTC_ALONE)
    model = assembly.model
    assert isinstance(model, MODELS[kind][1]) and told == ""
    assert (model.has_text_decoder, model.ctc_head is not None) == (has_decoder, True)
    assert (model.unit_predictor is None) == (kind != "speecht5")
    assert assembly.tokenizer is not None
    assert model.config.vocab_size == len(assembly.tokenizer.vocabulary)
    if not has_decoder:
        with pytest.raises(RecipeError, match="no text decoder"):
            build(plain)


def write_pretrained(folder: Path, kind: str, tokenizer: CharacterTokenizer | None = None, **changes: Any) -> Path:
    """A model that learned by units."""
    num_symbols = None if tokenizer is None else len(tokenizer.vocabulary)
    sizes = {"vocab_size": num_symbols, "num_units": tiny.NUM_UNITS + 4, **changes}
    config = speech_units.tiny_config(kind, **sizes)
    weights = MODELS[kind][1](config).state_dict()
    save_model(folder, StoredModel(kind, to_mapping(config), weights, tokenizer, {"stage": "unit pretraining"}))
    return folder


@pytest.mark.parametrize("kind", ["speechlm", "speechut"])
def test_a_model_that_learned_by_units_is_fine_tuned_without_them(kind: str, tmp_path: Path) -> None:
    folder = write_pretrained(tmp_path / "model", kind, tiny.character_tokenizer())
    before, changes = load_model(folder), {} if kind == "speechut" else CTC_ALONE
    assembly, told = build(tiny.recognition_recipe(tmp_path, init=folder), changes)
    after = assembly.model.state_dict()
    gone = ("unit_predictor.", "top_predictor.", "unit_prenet.embedding.")
    assert after.keys() == {name for name in before.weights if not name.startswith(gone)}
    assert all(torch.equal(value, before.weights[name]) for name, value in after.items())
    assert assembly.tokenizer is not None and assembly.tokenizer.vocabulary == before.tokenizer.vocabulary
    assert (told, assembly.facts["init"]) == ("", str(folder))
    # What fine-tuning left is fine-tuned further.
    stored = StoredModel(kind, to_mapping(assembly.model.config), after, assembly.tokenizer)
    save_model(tmp_path / "tuned", stored)
    again, _ = build(tiny.recognition_recipe(tmp_path / "again", init=tmp_path / "tuned"), changes)
    assert all(torch.equal(value, after[name]) for name, value in again.model.state_dict().items())


@pytest.mark.parametrize("kind", ["speechlm", "speechut"])
def test_other_letters_get_parts_of_their_own_and_that_is_told(kind: str, tmp_path: Path) -> None:
    """What does not hang on the letters is kept, such as the convolution of the CTC head."""
    folder = write_pretrained(tmp_path / "model", kind, CharacterTokenizer.train(["xyz abcde"]))
    tiny.character_tokenizer().save(tmp_path / "text")
    plain = tiny.recognition_recipe(tmp_path, init=folder) | {"tokenizer": str(tmp_path / "text")}
    assembly, told = build(plain, {} if kind == "speechut" else CTC_ALONE)
    before, after = load_model(folder).weights, assembly.model.state_dict()
    new = {name for name in after if before[name].shape != after[name].shape}
    by_letters = {"ctc_head.projection.weight", "ctc_head.projection.bias"}
    if kind == "speechut":
        by_letters |= {"text_decoder_prenet.embedding.weight", "text_head.weight"}
    assert new == by_letters
    assert all(torch.equal(after[name], before[name]) for name in after.keys() - new)
    assert "Begun with random weights" in told and all(name.partition(".")[0] in told for name in new)


def test_a_model_without_text_gets_a_head(tmp_path: Path) -> None:
    """The stand-alone SpeechLM knows neither letters nor units."""
    folder = write_pretrained(tmp_path / "model", "speechlm", None, has_ctc_head=False, num_units=None)
    plain = tiny.recognition_recipe(tmp_path, init=folder)
    with pytest.raises(CheckpointError, match="know no text"):
        build(plain, CTC_ALONE)
    tiny.character_tokenizer().save(tmp_path / "text")
    assembly, told = build(plain | {"tokenizer": str(tmp_path / "text")}, CTC_ALONE)
    assert assembly.model.ctc_head is not None and "ctc_head" in told


def test_another_family_than_the_folders_is_refused(tmp_path: Path) -> None:
    folder = write_pretrained(tmp_path / "model", "speechlm", tiny.character_tokenizer())
    with pytest.raises(CheckpointError, match=r"another family .*speechlm, wanted speechut"):
        build(tiny.recognition_recipe(tmp_path, init=folder), {"model": {"kind": "speechut"}})


def test_another_blank_than_the_models_is_refused(tmp_path: Path) -> None:
    """Decoding would take the model's; named, it is the model's or none."""
    folder = write_pretrained(tmp_path / "model", "speechlm", tiny.character_tokenizer())
    plain = tiny.recognition_recipe(tmp_path, init=folder)
    build(plain, {"objective": {"decoder_weight": 0.0, "blank": 0}})
    with pytest.raises(RecipeError, match=r"CTC blank of the recipe .*5, the model has 0"):
        build(plain, {"objective": {"decoder_weight": 0.0, "blank": 5}})
