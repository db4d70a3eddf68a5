from pathlib import Path

import pytest

import tiny
from sprachbund.config import merge
from sprachbund.data.batches.batch import SpeechBatch, TextBatch
from sprachbund.data.batches.collate import (
    TranscribedCollator,
)
from sprachbund.data.storage.manifest import read_cuts, write_cuts
from sprachbund.errors import DataError, VocabularyError
from sprachbund.training.assembly.speech import (
    cut_stream,
    labelled_clips,
    spans,
)
from sprachbund.training.speech_recipes import MaskingConfig, SpeechConfig
from training.assembly.building import build, ids


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


def test_masks_are_left_out_at_probability_zero(tmp_path: Path) -> None:
    changes = {"masking": {"time": 0.0, "channel": 0.0}}
    collator = build(tiny.recognition_recipe(tmp_path), changes)[0].collators["transcribed"]
    assert isinstance(collator, TranscribedCollator)
    assert (collator.time_masking, collator.channel_masking) == (None, None)
    plain = tiny.pretraining_recipe(tmp_path / "more")
    [micro] = build(plain, {"masking": {"time": 0.0}})[0].held_out
    assert isinstance(micro["speech"], SpeechBatch)
    assert not micro["speech"].time_mask.any()


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


def test_units_of_another_model_are_refused_before_training(tmp_path: Path) -> None:
    plain = tiny.pretraining_recipe(tmp_path)
    tiny.unit_model(seed=1).save(tmp_path / "units")
    with pytest.raises(VocabularyError, match="another unit model in cut train-000"):
        build(plain)
    plain["speech"]["train"] = [str(tiny.write_corpus(tmp_path / "unlabelled", 2, name="train"))]
    with pytest.raises(VocabularyError, match="no units in cut train-000"):
        build(plain)


def test_spans_are_those_of_the_recipe() -> None:
    config = MaskingConfig(equal_counts=False)
    assert spans(0.0, 10, 2, config) is None
    masking = spans(0.4, 7, 2, config)
    assert masking is not None
    found = (masking.probability, masking.length, masking.min_masks, masking.equal_counts)
    assert found == (0.4, 7, 2, False)


def test_batches_leave_room_for_slow_clips(tmp_path: Path) -> None:
    cuts = read_cuts(tiny.write_corpus(tmp_path, 3))
    config = SpeechConfig(train=(), batch_seconds=4.0, max_seconds=2.0, buckets=3)
    stream = cut_stream(cuts, config, 5, slowest=0.9)
    assert (stream.batch_seconds, stream.crop_seconds, stream.num_buckets, stream.seed) == (3.6, 2.0, 3, 5)


def test_a_clip_whose_speed_was_changed_is_refused_before_training(tmp_path: Path) -> None:
    units = tiny.unit_model()
    path = tiny.write_corpus(tmp_path, 2, units=units)
    cuts = list(read_cuts(path))
    cuts[1].recording = cuts[1].recording.perturb_speed(1.1)
    write_cuts(cuts, path)
    with pytest.raises(DataError, match="speed"):
        labelled_clips(SpeechConfig(train=(str(path),)), units, print)
