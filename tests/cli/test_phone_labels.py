from pathlib import Path

import pytest
from lhotse.supervision import AlignmentItem
from lhotse.utils import fastcopy
from typer.testing import CliRunner, Result

import tiny
from sprachbund.cli.check import app as check_app
from sprachbund.cli.info import describe
from sprachbund.cli.tokens import app
from sprachbund.data.phones import FINGERPRINT
from sprachbund.data.storage.manifest import read_cuts, write_cuts
from sprachbund.errors import DataError, VocabularyError
from sprachbund.tokens.phone_labels import PhoneLabels


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["label-phones", *map(str, arguments)])


def write_aligned(folder: Path, name: str = "clip", aligner: str = "ab", bare: int = 0) -> Path:
    """A corpus of three clips with phones; the first `bare` have none."""
    cuts = list(read_cuts(tiny.write_corpus(folder, 3, name=name)))
    for cut in cuts[bare:]:
        half = cut.duration / 2
        phones = [AlignmentItem("AA_B", 0.0, round(half, 8)), AlignmentItem("S_E", round(half, 8), round(half, 8))]
        cut.supervisions[0] = fastcopy(cut.supervisions[0], alignment={"phone": phones}, custom={FINGERPRINT: aligner})
    path = folder / f"{name}-aligned.jsonl.gz"
    write_cuts(cuts, path)
    return path


def test_labels_are_made_once_and_met_afterwards(tmp_path: Path) -> None:
    train, dev = (write_aligned(tmp_path / "speech", name) for name in ("train", "dev"))
    labels = tmp_path / "labels"
    first = run(train, "--labels", labels, "--out", tmp_path / "train.jsonl.gz", "--rate", 100, "--word-positions")
    assert first.exit_code == 0, first.output
    assert first.stdout.startswith("3 cuts with 158 phones, 100 labels a second, in ")
    assert PhoneLabels.load(labels) == PhoneLabels(True, 100, "ab")
    second = run(dev, "--labels", labels, "--out", tmp_path / "dev.jsonl.gz")
    assert second.exit_code == 0, second.output
    prints = {
        cut.custom["units_fingerprint"] for name in ("train", "dev") for cut in read_cuts(tmp_path / f"{name}.jsonl.gz")
    }
    assert prints == {PhoneLabels.load(labels).fingerprint}
    for wrong in (("--rate", 50),):
        assert isinstance(
            run(dev, "--labels", labels, "--out", tmp_path / "x.jsonl.gz", *wrong).exception, VocabularyError
        )
    other = write_aligned(tmp_path / "speech", "other", aligner="cd")
    assert isinstance(run(other, "--labels", labels, "--out", tmp_path / "x.jsonl.gz").exception, VocabularyError)
    assert not (tmp_path / "x.jsonl.gz").exists()


def test_other_verbs_take_them_as_units(tmp_path: Path) -> None:
    out, labels = tmp_path / "labelled.jsonl.gz", tmp_path / "labels"
    assert run(write_aligned(tmp_path / "speech"), "--labels", labels, "--out", out).exit_code == 0
    quality = CliRunner().invoke(app, ["quality", str(out), "--model", str(labels)])
    assert quality.exit_code == 0, quality.output
    assert "41 units, 39 of them dead" in quality.stdout
    checked = CliRunner().invoke(check_app, [str(out), "--units", str(labels)])
    assert checked.exit_code == 0, checked.output
    shown = CliRunner().invoke(app, ["show", "clip-000", "--manifest", str(out), "--out", str(tmp_path / "clip.png")])
    assert shown.exit_code == 0, shown.output
    assert describe(out)["units"] == [PhoneLabels.load(labels).fingerprint[:16]]


@pytest.mark.parametrize(("choice", "kept"), [("leave-out", 2), ("noise", 3)])
def test_cuts_without_phones(tmp_path: Path, choice: str, kept: int) -> None:
    manifest, out = write_aligned(tmp_path / "speech", bare=1), tmp_path / "out.jsonl.gz"
    refused = run(manifest, "--labels", tmp_path / "labels", "--out", out)
    assert isinstance(refused.exception, DataError)
    assert not out.exists()
    assert not (tmp_path / "labels").exists()
    done = run(manifest, "--labels", tmp_path / "labels", "--out", out, "--without-phones", choice)
    assert done.exit_code == 0, done.output
    assert len(list(read_cuts(out))) == kept
    assert ("1 cuts without phones are left out: clip-000" in done.stdout) == (choice == "leave-out")


def test_a_manifest_without_phones_is_told(tmp_path: Path) -> None:
    manifest = tiny.write_corpus(tmp_path, 2)
    done = run(
        manifest, "--labels", tmp_path / "labels", "--out", tmp_path / "out.jsonl.gz", "--without-phones", "noise"
    )
    assert isinstance(done.exception, DataError)
    assert "tokens align" in str(done.exception)
