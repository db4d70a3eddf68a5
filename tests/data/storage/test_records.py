import json
from typing import Any

import pytest

from sprachbund.data.storage.records import LONGEST, LONGEST_MADE, problem_of

SUPERVISION = {"id": "s", "recording_id": "r", "start": 0, "duration": 1.0, "text": "hello"}
RECORDING = {
    "id": "r",
    "sources": [{"type": "file", "channels": [0], "source": "r.flac"}],
    "sampling_rate": 16000,
    "num_samples": 16000,
    "duration": 1.0,
}
ARRAY = {"storage_type": "numpy_files", "storage_path": "units", "storage_key": "a.npy", "shape": [100]}
UNITS = {"array": ARRAY, "temporal_dim": 0, "frame_shift": 0.01, "start": 0.0}
MONO = {
    "type": "MonoCut",
    "id": "c",
    "start": 0,
    "duration": 1,
    "channel": 0,
    "supervisions": [SUPERVISION],
    "recording": RECORDING,
    "custom": {"units": UNITS, "speaker_embedding": ARRAY, "raw_text": "Hello!", "anything": [None, float("nan")]},
    "what Lhotse may add": 1,
}
PADDING = {"type": "PaddingCut", "id": "p", "duration": 0.5, "sampling_rate": 16000, "feat_value": -23.0}
MIXED = {
    "type": "MixedCut",
    "id": "m",
    "tracks": [{"type": "MonoCut", "cut": MONO, "snr": 10.0}, {"type": "PaddingCut", "cut": PADDING}],
}


def changed(record: Any, place: str, value: Any) -> Any:
    """A copy with the value at a dotted place changed."""
    copied = json.loads(json.dumps(record))
    inner = copied
    *path, last = [int(part) if part.isdigit() else part for part in place.split(".")]
    for part in path:
        inner = inner[part]
    inner[last] = value
    return copied


@pytest.mark.parametrize("record", [MONO, PADDING, MIXED, {**MONO, "type": "MultiCut", "channel": [0, 1]}])
def test_sound_records_have_no_problem(record: dict[str, Any]) -> None:
    assert problem_of(json.dumps(record)) is None


@pytest.mark.parametrize(
    ("record", "place", "value", "told"),
    [
        (MONO, "id", 7, "id"),
        (MONO, "id", "", "id"),
        (MONO, "id", ["a"], "id"),
        (MONO, "start", -0.1, "start"),
        (MONO, "start", float("nan"), "start: Input should be a finite number"),
        (MONO, "start", "0", "start"),
        (MONO, "duration", 0, "duration"),
        (MONO, "duration", float("inf"), "duration"),
        (MONO, "duration", 10 * LONGEST, "duration"),
        (MONO, "duration", True, "duration"),
        (MONO, "channel", -1, "channel"),
        (MONO, "supervisions", {}, "supervisions"),
        (MONO, "supervisions.0.text", ["hello"], "supervisions.0.text"),
        (MONO, "supervisions.0.start", "now", "supervisions.0.start"),
        (MONO, "supervisions.0.alignment", {"word": [["a", 0.0, -1.0]]}, "alignment"),
        (MONO, "recording.sampling_rate", 0, "sampling_rate"),
        (MONO, "recording.num_samples", 1e300, "num_samples"),
        (MONO, "recording.sources.0.source", None, "source"),
        (MONO, "custom", [], "custom"),
        (MONO, "custom.units.frame_shift", 0, "frame_shift"),
        (MONO, "custom.units.start", "-1", "start"),
        (MONO, "custom.units.temporal_dim", 1, "temporal_dim"),
        (MONO, "custom.units.array.shape", 100, "shape"),
        (MONO, "custom.units.array.storage_type", "numpy_hdf5", "storage_type"),
        (MONO, "custom.speaker_embedding.storage_type", "lilcom_url", "storage_type"),
        (MONO, "type", "Cut", "MonoCut"),
        (PADDING, "duration", 2 * LONGEST_MADE, "duration"),
        (PADDING, "sampling_rate", 0, "sampling_rate"),
        (MIXED, "tracks", [], "tracks"),
        (MIXED, "tracks.1.offset", 2 * LONGEST_MADE, "offset"),
        (MIXED, "tracks.0.snr", "loud", "snr"),
        (MIXED, "tracks.0.cut.duration", None, "duration"),
        (MIXED, "tracks.1.type", "MixedCut", "type"),
    ],
)
def test_records_that_cannot_be_used_are_told(record: dict[str, Any], place: str, value: Any, told: str) -> None:
    problem = problem_of(json.dumps(changed(record, place, value)))
    assert problem is not None
    assert told in problem


@pytest.mark.parametrize(
    "line", ["", "7", "[]", "{", '{"type": "MonoCut"', '{"a":' * 100_000, "[" * 100_000, '{"id": "\\ud800"}']
)
def test_what_is_no_record_is_told(line: str) -> None:
    assert problem_of(line)
