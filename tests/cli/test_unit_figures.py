import json
from pathlib import Path

import pytest
from lhotse import CutSet
from lhotse.supervision import AlignmentItem
from lhotse.utils import fastcopy
from typer.testing import CliRunner, Result

import tiny
from sprachbund.cli.tokens import app
from sprachbund.data.storage.manifest import write_cuts
from sprachbund.data.units import attach_units
from sprachbund.errors import DataError


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.fixture
def manifest(tmp_path: Path) -> Path:
    """Two labelled cuts with two phones each, beside the folder of their unit model."""
    model = tiny.unit_model()
    model.save(tmp_path / "units")
    items = [AlignmentItem("AA", 0.0, 0.2), AlignmentItem("SIL", 0.2, 0.2)]
    cuts = attach_units(tiny.make_cuts(tmp_path, 2), model, tmp_path / "arrays")
    aligned = [
        fastcopy(cut, supervisions=[fastcopy(said, alignment={"phone": items}) for said in cut.supervisions])
        for cut in cuts
    ]
    write_cuts(CutSet.from_cuts(aligned), tmp_path / "cuts.jsonl.gz")
    return tmp_path / "cuts.jsonl.gz"


def test_quality_is_told_and_written(manifest: Path, tmp_path: Path) -> None:
    done = run("quality", manifest, "--model", tmp_path / "units", "--json", tmp_path / "q" / "quality.json")
    assert done.exit_code == 0, done.output
    figures = json.loads((tmp_path / "q" / "quality.json").read_text("utf-8"))
    assert figures["with_silence"]["labels"] == 80
    assert figures["without_silence"]["labels"] == 40
    for words in ("PNMI", f"{figures['with_silence']['phone_purity']:.4f}", f"entropy {figures['unit_entropy']:.3f}"):
        assert words in done.stdout


def test_a_manifest_without_an_alignment_is_refused_with_the_mend(tmp_path: Path) -> None:
    model = tiny.unit_model()
    model.save(tmp_path / "units")
    bare = tiny.write_corpus(tmp_path / "speech", 2, units=model)
    done = run("quality", bare, "--model", tmp_path / "units", "--json", tmp_path / "quality.json")
    assert isinstance(done.exception, DataError)
    assert "sprachbund tokens align" in str(done.exception)
    assert not (tmp_path / "quality.json").exists()


def test_a_clip_is_drawn_whole_and_in_part(manifest: Path, tmp_path: Path) -> None:
    sizes = []
    for name, options in (("whole", ()), ("part", ("--start", 0.1, "--duration", 0.2))):
        path = tmp_path / "pictures" / f"{name}.png"
        done = run("show", "clip-001", "--manifest", manifest, "--out", path, *options)
        assert done.exit_code == 0, done.output
        assert path.read_bytes().startswith(b"\x89PNG")
        sizes.append(path.read_bytes())
    assert sizes[0] != sizes[1]


def test_clips_that_are_not_there_are_told(manifest: Path, tmp_path: Path) -> None:
    for arguments in (("clip-009",), ("clip-001", "--start", 9)):
        done = run("show", *arguments, "--manifest", manifest, "--out", tmp_path / "none.png")
        assert isinstance(done.exception, DataError)
    assert not (tmp_path / "none.png").exists()
