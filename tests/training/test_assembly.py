from pathlib import Path
from typing import Any

import pytest
import torch

import tiny
from sprachbund.config import from_mapping, merge
from sprachbund.data.batches.batch import SpeechBatch, TextBatch, TranscribedBatch
from sprachbund.data.batches.collate import SpeechCollator, TextCollator, TranscribedCollator
from sprachbund.data.storage.manifest import read_cuts, write_cuts
from sprachbund.data.streams import CutStream, TextStream
from sprachbund.errors import CheckpointError, DataError, RecipeError, VocabularyError
from sprachbund.objectives.joint_pretraining import JointPretraining
from sprachbund.objectives.recognition import Recognition
from sprachbund.tokens.text import CharacterTokenizer
from sprachbund.tokens.units import UnitModel
from sprachbund.training.assembly import Assembly, assemble
from sprachbund.training.recipe import PretrainingRecipe, RecognitionRecipe

KINDS = {"pretraining": PretrainingRecipe, "recognition": RecognitionRecipe}


def build(plain: dict[str, Any], changes: dict[str, Any] | None = None) -> tuple[Assembly, str]:
    """The parts of a run, and what a user is told."""
    told: list[str] = []
    plain = merge(plain, changes or {})
    return assemble(from_mapping(KINDS[plain["task"]], plain, "test"), told.append), "\n".join(told)


def ids(stream: object) -> set[str]:
    assert isinstance(stream, CutStream)
    return {cut.id for cut in stream.cuts}


def test_the_parts_of_pretraining(tmp_path: Path) -> None:
    plain = tiny.pretraining_recipe(tmp_path)
    assembly, told = build(plain)
    assert isinstance(assembly.objective, JointPretraining)
    assert assembly.objective.model is assembly.model
    config, vocabulary = assembly.model.config, tiny.character_tokenizer().vocabulary
    assert (config.vocab_size, config.num_units) == (len(vocabulary), tiny.NUM_UNITS + 4)
    assert (config.unit_rate, config.encoder.dim) == (100.0, 32)
    assert list(assembly.streams) == list(assembly.collators) == ["speech", "text"]
    assert ids(assembly.streams["speech"]) == {f"train-{number:03d}" for number in range(8)}
    stream = assembly.streams["speech"]
    assert isinstance(stream, CutStream)
    assert (stream.batch_seconds, stream.crop_seconds, stream.num_buckets, stream.seed) == (3.0, 15.6, 2, 3)
    speech, text = assembly.collators["speech"], assembly.collators["text"]
    assert isinstance(speech, SpeechCollator)
    assert (speech.max_samples, speech.speaker_dim, speech.is_normalized) == (249_600, tiny.SPEAKER_DIM, False)
    assert (speech.masking.probability, speech.masking.length, speech.masking.min_masks) == (0.8, 10, 2)
    assert isinstance(text, TextCollator)
    assert text.noise.mask_id == vocabulary.mask_id
    assert text.noise.vocabulary_size == vocabulary.mask_id  # random tokens are neither the mask nor the blank
    assert (text.noise.mask_ratio, text.noise.random_ratio, text.noise.poisson_rate) == (0.3, 0.1, 3.5)
    assert {speech.seed, text.seed} == {plain["run"]["seed"]}
    assert [list(micro) for micro in assembly.held_out] == [["speech"]]
    assert assembly.held_out_cuts == ()
    assert assembly.facts["unit_model"] == tiny.unit_model().fingerprint
    assert "8 clips bring no speaker vector" in told


def test_text_batches_hold_the_published_share_of_speech(tmp_path: Path) -> None:
    plain = tiny.pretraining_recipe(tmp_path)
    share = {"text": {"tokens_per_sample": 0.01, "max_tokens": 100}}
    for changes, expected in (
        (share, 480),  # of 3 s
        ({"text": {"max_tokens": 300, "tokens_per_sample": 0.001}}, 300),
        ({**share, "speech": None}, 14_000),  # of the published 87.5 s
    ):
        stream = build(plain, changes)[0].streams["text"]
        assert isinstance(stream, TextStream)
        assert stream.batch_tokens == expected


def test_one_stream_may_be_left_out(tmp_path: Path) -> None:
    plain = tiny.pretraining_recipe(tmp_path)
    text_only, told = build(plain, {"speech": None})
    assert list(text_only.streams) == list(text_only.collators) == ["text"]
    assert text_only.held_out == []
    assert told == ""
    speech_only, _ = build(plain, {"text": None})
    assert list(speech_only.streams) == ["speech"]


def test_held_out_clips_and_lines_are_limited(tmp_path: Path) -> None:
    plain = tiny.pretraining_recipe(tmp_path)
    changes = {"text": {"valid": plain["text"]["train"]}, "speech": {"valid": plain["speech"]["train"]}}
    assembly, _ = build(plain, merge(changes, {"run": {"valid_clips": 3}}))
    held: dict[str, list[str]] = {"speech": [], "text": []}
    for micro in assembly.held_out:
        [(name, batch)] = micro.items()
        assert isinstance(batch, {"speech": SpeechBatch, "text": TextBatch}[name])
        held[name] += batch.ids
    assert held["speech"] == ["train-000", "train-001", "train-002"]
    assert held["text"] == ["line-000000000", "line-000000001", "line-000000002"]
    assert build(plain, {"run": {"valid_clips": 0}})[0].held_out == []


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


def test_masks_are_left_out_at_probability_zero(tmp_path: Path) -> None:
    changes = {"masking": {"time": 0.0, "channel": 0.0}}
    collator = build(tiny.recognition_recipe(tmp_path), changes)[0].collators["transcribed"]
    assert isinstance(collator, TranscribedCollator)
    assert (collator.time_masking, collator.channel_masking) == (None, None)
    plain = tiny.pretraining_recipe(tmp_path / "more")
    [micro] = build(plain, {"masking": {"time": 0.0}})[0].held_out
    assert isinstance(micro["speech"], SpeechBatch)
    assert not micro["speech"].time_mask.any()


def test_weights_come_from_the_seed(tmp_path: Path) -> None:
    plain = tiny.recognition_recipe(tmp_path)
    first, again, other = (
        build(plain, {"run": {"seed": seed}})[0].model.state_dict()["ctc_head.weight"] for seed in (1, 1, 2)
    )
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


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


def test_changes_of_a_model_are_checked(tmp_path: Path) -> None:
    plain = tiny.pretraining_recipe(tmp_path)
    with pytest.raises(RecipeError, match="Did you mean 'dropout'"):
        build(plain, {"model": {"changes": {"dropuot": 0.1}}})


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


def test_short_clips_are_left_out_and_told(tmp_path: Path) -> None:
    units = tiny.unit_model()
    plain = tiny.pretraining_recipe(tmp_path)
    mixed = tiny.write_corpus(tmp_path / "mixed", samples=(400, 6_400, 9_600), units=units, name="mixed")
    assembly, told = build(plain, {"speech": {"train": [str(mixed)], "min_seconds": 0.5}})
    assert ids(assembly.streams["speech"]) == {"mixed-002"}
    assert "2 of 3 clips are shorter than 0.5 s" in told
    # A clip of one frame is the shortest there is.
    assembly, told = build(plain, {"speech": {"train": [str(mixed)], "min_seconds": 0.0}})
    assert len(ids(assembly.streams["speech"])) == 3
    assert "shorter" not in told
    with pytest.raises(DataError, match="no clip is left"):
        build(plain, {"speech": {"train": [str(mixed)], "min_seconds": 5.0}})


def test_manifests_are_read_together(tmp_path: Path) -> None:
    plain = tiny.recognition_recipe(tmp_path)
    train, valid = plain["speech"]["train"][0], plain["speech"]["valid"][0]
    assembly, _ = build(plain, {"speech": {"train": [train, valid]}})
    expected = {cut.id for path in (train, valid) for cut in read_cuts(Path(path))}
    assert ids(assembly.streams["transcribed"]) == expected
    with pytest.raises(DataError, match="share clip ids"):
        build(plain, {"speech": {"train": [train, train]}})


def test_long_and_empty_lines_are_left_out_and_told(tmp_path: Path) -> None:
    plain = tiny.pretraining_recipe(tmp_path)
    text = tiny.write_text(tmp_path / "more", ["ab", "", "   ", "abc " * 20, "cab"])
    assembly, told = build(plain, {"text": {"train": [str(text)]}})
    stream = assembly.streams["text"]
    assert isinstance(stream, TextStream)
    tokenizer = tiny.character_tokenizer()
    assert [stream.line(number).tokens.tolist() for number in range(len(stream))] == [
        tokenizer.encode("ab"),
        tokenizer.encode("cab"),
    ]
    assert "1 lines of text are longer than 60 tokens" in told
    with pytest.raises(DataError, match="no line of text"):
        build(plain, {"text": {"train": [str(tiny.write_text(tmp_path / "none", ["", " "]))]}})
    with pytest.raises(DataError, match="cannot be read"):
        build(plain, {"text": {"train": [str(tmp_path / "missing.txt")]}})
    (tmp_path / "binary.txt").write_bytes(b"\xff\xfe")
    with pytest.raises(DataError, match="not UTF-8"):
        build(plain, {"text": {"train": [str(tmp_path / "binary.txt")]}})


def test_units_of_another_model_are_refused(tmp_path: Path) -> None:
    plain = tiny.pretraining_recipe(tmp_path)
    other: UnitModel = tiny.unit_model(seed=1)
    other.save(tmp_path / "other")
    with pytest.raises(VocabularyError, match="another unit model"):
        build(plain, {"units": str(tmp_path / "other")})


def test_units_of_another_model_are_refused_before_training(tmp_path: Path) -> None:
    plain = tiny.pretraining_recipe(tmp_path)
    tiny.unit_model(seed=1).save(tmp_path / "units")
    with pytest.raises(VocabularyError, match="another unit model in cut train-000"):
        build(plain)
    plain["speech"]["train"] = [str(tiny.write_corpus(tmp_path / "unlabelled", 2, name="train"))]
    with pytest.raises(VocabularyError, match="no units in cut train-000"):
        build(plain)
