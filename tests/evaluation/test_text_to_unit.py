"""Unit error rates on clips whose errors are known beforehand."""

from pathlib import Path
from typing import Any

import pytest
import torch
from lhotse import CutSet

import paired_speech
import tiny
from decoding.test_text_to_units import write_model
from sprachbund.data.paired_units import Pairing, paired_cuts
from sprachbund.data.storage.manifest import read_cuts, write_cuts
from sprachbund.decoding.text_to_units import load_unit_writer
from sprachbund.errors import CheckpointError
from sprachbund.evaluation.text_to_unit import (
    COMMONEST,
    GENERATOR,
    OWN_DURATIONS,
    RENDERINGS,
    TRUE_DURATIONS,
    text_to_unit_quality,
)

PAIRING = Pairing(fingerprint=tiny.unit_model().fingerprint, frame_shift=0.01)


def with_facts(folder: Path, **changes: Any) -> Path:
    """The same model folder, saying something else."""
    import json

    header = json.loads((folder / "config.json").read_text("utf-8"))
    header["facts"] |= changes
    (folder / "config.json").write_text(json.dumps(header), "utf-8")
    return folder


@pytest.fixture
def manifests(tmp_path: Path) -> tuple[Path, Path]:
    """Of held-out and of training speech."""
    speech = tmp_path / "speech"
    return paired_speech.write_paired(speech, 3, "test"), paired_speech.write_paired(speech, 6, "train")


def models(folder: Path) -> list[Path]:
    return [with_facts(write_model(folder / kind, kind), max_minutes=None) for kind in ("text_to_unit", "sequence")]


def test_all_systems_are_measured_on_the_same_units(tmp_path: Path, manifests: tuple[Path, Path]) -> None:
    found = text_to_unit_quality(models(tmp_path), *manifests)
    assert set(found.systems) == {COMMONEST, RENDERINGS, TRUE_DURATIONS, OWN_DURATIONS, GENERATOR}
    assert (found.clips, found.train_clips, found.unaligned) == (3, 6, 0)
    for name, errors in found.systems.items():
        assert 0 <= errors.reduced.low <= errors.reduced.rate <= errors.reduced.high
        # Edits may shift what places may not.
        if errors.misplaced is not None:
            assert errors.units is not None and errors.units.rate <= errors.misplaced
        if name == GENERATOR:
            assert errors.units is None
        else:
            assert errors.units is not None and errors.units.length == found.units
        assert (errors.misplaced is None) is (name in (OWN_DURATIONS, GENERATOR))
    rates = [found.systems[name].units for name in (TRUE_DURATIONS, COMMONEST)]
    assert rates[0] is not None and rates[1] is not None
    assert found.gain[TRUE_DURATIONS] == pytest.approx(1 - rates[0].rate / rates[1].rate)


def test_speech_that_was_learned_by_heart_has_no_errors(tmp_path: Path, manifests: tuple[Path, Path]) -> None:
    """One clip alone, with itself to take renderings from: every context is there once."""
    cuts = list(read_cuts(manifests[0]))
    one = tmp_path / "one.jsonl.gz"
    write_cuts([cuts[1]], one)
    found = text_to_unit_quality(models(tmp_path)[:1], one, one)
    errors = found.systems[RENDERINGS]
    assert errors.units is not None and (errors.units.errors, errors.misplaced, errors.reduced.errors) == (0, 0.0, 0)


def test_a_model_that_writes_the_truth_has_no_errors(
    tmp_path: Path, manifests: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The rates of the model are those of the units that it gives for the phones and durations of each clip."""
    folder = models(tmp_path)[0]
    kind = type(load_unit_writer(folder)[1])
    answers = {(tuple(example.durations.tolist())): example.units for example in map(PAIRING, cuts_of(manifests[0]))}
    usual = kind.predict_units

    def predict_units(self: Any, tokens: Any, lengths: Any, durations: Any = None, **more: Any) -> Any:
        made = usual(self, tokens, lengths, durations, **more)
        if durations is not None:
            made.logits.zero_()
            for row, length in enumerate(lengths.tolist()):
                units = torch.from_numpy(answers[tuple(durations[row, :length].tolist())]) + 4
                made.logits[row, torch.arange(len(units)), units] = 1.0
        return made

    monkeypatch.setattr(kind, "predict_units", predict_units)
    found = text_to_unit_quality([folder], *manifests)
    errors = found.systems[TRUE_DURATIONS]
    assert errors.units is not None and (errors.units.errors, errors.misplaced, errors.reduced.errors) == (0, 0.0, 0)
    assert found.gain[TRUE_DURATIONS] == 1.0
    assert found.gain[OWN_DURATIONS] < 0.9


def cuts_of(manifest: Path) -> tuple[Any, ...]:
    return paired_cuts(read_cuts(manifest), PAIRING.fingerprint).cuts


def test_clips_without_an_alignment_are_counted(tmp_path: Path, manifests: tuple[Path, Path]) -> None:
    cuts = list(read_cuts(manifests[0]))
    write_cuts(CutSet.from_cuts([cuts[0].drop_alignments(), *cuts[1:]]), manifests[0])
    found = text_to_unit_quality(models(tmp_path)[:1], *manifests)
    assert (found.clips, found.unaligned) == (2, 1)


def test_models_of_other_units_are_not_compared(tmp_path: Path, manifests: tuple[Path, Path]) -> None:
    one, other = models(tmp_path)
    with pytest.raises(CheckpointError, match="have not learned the same units"):
        text_to_unit_quality([one, with_facts(other, max_minutes=3.0)], *manifests)
