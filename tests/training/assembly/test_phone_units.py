"""Phones of an alignment are units to every trainer."""

from pathlib import Path
from typing import Any

import pytest
from lhotse.supervision import AlignmentItem
from lhotse.utils import fastcopy

import tiny
from sprachbund.data.phone_labels import WithoutPhones, label_phones
from sprachbund.data.phones import FINGERPRINT
from sprachbund.data.storage.manifest import read_cuts, write_cuts
from sprachbund.errors import VocabularyError
from sprachbund.tokens.phone_labels import PhoneLabels
from training.assembly.building import build


def with_phones(folder: Path, manifest: str, labels: PhoneLabels) -> str:
    """A copy of a manifest with halves of its clips as two phones, labelled."""
    cuts = read_cuts(Path(manifest))
    for cut in cuts:
        half = round(cut.duration / 2, 8)
        phones = [AlignmentItem("AA", 0.0, half), AlignmentItem("S", half, half)]
        cut.supervisions[0] = fastcopy(
            cut.supervisions[0], alignment={"phone": phones}, custom={FINGERPRINT: labels.aligner}
        )
    path = Path(manifest).with_name(f"phones-{labels.aligner}-{Path(manifest).name}")
    write_cuts(label_phones(cuts, labels, folder / "phone-units", WithoutPhones.REFUSE).cuts, path)
    return str(path)


def recipe_of(folder: Path, plain: dict[str, Any], *labels: PhoneLabels) -> dict[str, Any]:
    """`plain` with the units of the first of `labels`, training clips of the second, held-out clips of the third."""
    wanted, train, valid = labels
    wanted.save(folder / "labels" / wanted.aligner)
    units = str(folder / "labels" / wanted.aligner)
    speech = plain["speech"] | {
        "train": [with_phones(folder, plain["speech"]["train"][0], train)],
        "valid": [with_phones(folder, plain["speech"]["valid"][0], valid)],
    }
    targets = {"targets": {"kind": "units", "units": units}} if "targets" in plain else {"units": units}
    return plain | {"speech": speech} | targets


@pytest.mark.parametrize("task", ["encoder", "pretraining"])
@pytest.mark.parametrize("rate", [50, 100])
def test_trainers_take_phones_and_refuse_a_mixture(tmp_path: Path, task: str, rate: int) -> None:
    write = tiny.encoder_recipe if task == "encoder" else tiny.pretraining_recipe
    plain, one, other = write(tmp_path), PhoneLabels(rate=rate, aligner="ab"), PhoneLabels(rate=rate, aligner="cd")
    assembly, _ = build(recipe_of(tmp_path, plain, one, one, one))
    assert assembly.facts["unit_model"] == one.fingerprint
    assert assembly.model.config.num_units == one.num_units + 4
    assert assembly.model.config.unit_rate == rate
    if task == "encoder":  # so that the model can be asked for phones
        assert assembly.facts["phones"].split() == list(one.symbols)
    for mixture in ((one, one, other), (one, other, one), (other, one, one)):
        with pytest.raises(VocabularyError, match="another unit model"):
            build(recipe_of(tmp_path, plain, *mixture))
