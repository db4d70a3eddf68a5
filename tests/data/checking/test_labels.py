from pathlib import Path
from typing import Any

import numpy as np
import pytest
from lhotse import MonoCut
from lhotse.utils import fastcopy

import tiny
from sprachbund.data.checking.labels import Labels, expected_fingerprint, judge_labels, read_labels
from sprachbund.data.storage.manifest import read_cuts
from sprachbund.data.units import fewest_labels


@pytest.fixture
def cut(tmp_path: Path) -> MonoCut:
    return next(iter(read_cuts(tiny.write_corpus(tmp_path, 1, units=tiny.unit_model(), samples=[16_000]))))


def array_file(cut: MonoCut) -> Path:
    array = cut.custom["units"].array
    return Path(array.storage_path) / array.storage_key


def faults(labels: Labels | None, **changes: Any) -> list[str]:
    assert labels is not None
    given = {"duration": 1.0, "recording_seconds": 1.0, "expected": tiny.unit_model().fingerprint, "num_units": None}
    return [fault.kind for fault in judge_labels(labels, **(given | changes))]  # type: ignore[arg-type]


def test_sound_labels(cut: MonoCut):
    labels = read_labels(cut, is_quick=False)
    assert labels is not None
    assert (labels.fingerprint, labels.rate) == (tiny.unit_model().fingerprint, 100.0)
    assert labels.count is not None
    assert labels.count >= fewest_labels(16_000, 100.0)
    assert 0 <= labels.lowest <= labels.highest < tiny.NUM_UNITS
    assert faults(labels, num_units=tiny.NUM_UNITS) == []
    quick = read_labels(cut, is_quick=True)
    assert quick is not None
    assert quick.count is None
    assert faults(quick) == []


def test_a_part_of_a_cut_has_the_labels_of_its_part(cut: MonoCut):
    part = cut.truncate(offset=0.2, duration=0.5)
    labels = read_labels(part, is_quick=False)
    assert labels is not None
    assert labels.count is not None
    assert 48 <= labels.count <= 52
    assert faults(labels, duration=0.5) == []


def test_cuts_without_labels(tmp_path: Path):
    assert read_labels(next(iter(tiny.make_cuts(tmp_path, 1))), is_quick=False) is None
    assert read_labels("no cut", is_quick=False) is None


def test_labels_of_another_model(cut: MonoCut):
    assert faults(read_labels(cut, is_quick=True), expected="another") == ["other-unit-model"]


def test_ids_outside_of_the_model(cut: MonoCut):
    labels = read_labels(cut, is_quick=False)
    assert faults(labels, num_units=labels.highest) == ["label-range"]  # type: ignore[union-attr]
    np.save(array_file(cut), np.full(99, -1, np.int16))
    assert faults(read_labels(cut, is_quick=False)) == ["label-range"]


def test_too_few_labels_and_labels_after_the_end(cut: MonoCut):
    assert faults(read_labels(cut, is_quick=False), recording_seconds=0.9) == ["label-length"]
    assert faults(read_labels(cut, is_quick=True), recording_seconds=0.9) == ["label-length"]
    assert faults(read_labels(cut, is_quick=False), recording_seconds=None) == []
    needed = fewest_labels(16_000, 100.0)
    np.save(array_file(cut), np.zeros(needed, np.int16))
    assert faults(read_labels(cut, is_quick=False)) == []
    np.save(array_file(cut), np.zeros(needed - 1, np.int16))
    assert faults(read_labels(cut, is_quick=False)) == ["label-length"]
    np.save(array_file(cut), np.zeros(0, np.int16))
    assert faults(read_labels(cut, is_quick=False)) == ["label-length"]


BROKEN = {
    "missing": lambda path: path.unlink(),
    "noise": lambda path: path.write_bytes(b"noise"),
    "empty": lambda path: path.write_bytes(b""),
    "cut short": lambda path: path.write_bytes(path.read_bytes()[:150]),
    "floats": lambda path: np.save(path, np.zeros(99)),
    "matrix": lambda path: np.save(path, np.zeros((99, 2), np.int16)),
    "pickle": lambda path: np.save(path, np.array([tiny.Trap("touch executed")] * 99), allow_pickle=True),
}


@pytest.mark.parametrize("how", BROKEN)
def test_damaged_arrays(cut: MonoCut, how: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    BROKEN[how](array_file(cut))
    assert faults(read_labels(cut, is_quick=False)) == ["damaged-labels"]
    assert not (tmp_path / "executed").exists()


def test_what_is_no_array_at_a_frame_shift(cut: MonoCut):
    odd = fastcopy(cut, custom={**cut.custom, "units": cut.custom["units"].array})
    assert faults(read_labels(odd, is_quick=False)) == ["damaged-labels"]


def test_the_model_of_most_cuts_is_expected():
    one, two = Labels("one", 1.0, 100.0), Labels("two", 1.0, 100.0)
    assert expected_fingerprint([two, one, None, two], None) == "two"
    assert expected_fingerprint([two, one], None) == expected_fingerprint([one, two], None) == "one"
    assert expected_fingerprint([None], None) is None
    assert expected_fingerprint([one], tiny.unit_model()) == tiny.unit_model().fingerprint
