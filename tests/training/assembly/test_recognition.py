from pathlib import Path

import pytest
import torch

import tiny
from sprachbund.checkpoints.store import load_model
from sprachbund.data.batches.batch import TranscribedBatch
from sprachbund.data.batches.collate import (
    TranscribedCollator,
)
from sprachbund.data.storage.manifest import write_cuts
from sprachbund.errors import CheckpointError, DataError, RecipeError
from sprachbund.models.hubert.model import Hubert
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
