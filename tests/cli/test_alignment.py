import gzip
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

import tiny
from sprachbund.cli.tokens import app
from sprachbund.data.phones import is_aligned
from sprachbund.data.storage.manifest import read_cuts
from sprachbund.errors import DataError


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def test_a_manifest_is_aligned(tmp_path: Path) -> None:
    """Tones are no speech, but what is to be found in them is known: the aligner finds a place for it."""
    manifest, out = tiny.write_corpus(tmp_path / "speech", samples=[16_000, 16_000, 200]), tmp_path / "aligned.jsonl.gz"
    text = gzip.decompress(manifest.read_bytes()).decode().replace('"text": "ba c"', '"text": "ebbish"')
    manifest.write_bytes(gzip.compress(text.encode()))
    done = run("align", manifest, "--out", out)
    assert done.exit_code == 0, done.output
    first, *others = done.stdout.splitlines()
    assert first.startswith("2 of 3 transcripts aligned, ")
    assert first.endswith(f" ms on average, in {out}")
    assert "1 not alignable" in others
    assert others[-1].endswith("are in no dictionary: read off letters")
    assert "audio hours per hour" in done.stderr
    assert [is_aligned(cut) for cut in read_cuts(out)] == [True, True, False]


def test_a_manifest_that_is_missing_is_told(tmp_path: Path) -> None:
    done = run("align", tmp_path / "none.jsonl.gz", "--out", tmp_path / "out.jsonl.gz")
    assert isinstance(done.exception, DataError)
    assert not (tmp_path / "out.jsonl.gz").exists()
    assert run("align", tmp_path / "none.jsonl.gz").exit_code == 2


@pytest.mark.parametrize("jobs", [0, -1])
def test_there_is_at_least_one_process(tmp_path: Path, jobs: int) -> None:
    assert run("align", tmp_path / "a.jsonl.gz", "--out", tmp_path / "b.jsonl.gz", "--jobs", jobs).exit_code == 2
