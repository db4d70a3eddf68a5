import gzip
import json
import re
import time
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

import tiny
from sprachbund.cli.tokens import app
from sprachbund.data.phones import DECODED, is_aligned
from sprachbund.data.storage.manifest import read_cuts
from sprachbund.errors import CheckpointError, DataError, RecipeError
from training.processes import start


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.fixture
def manifest(tmp_path: Path) -> Path:
    """Tones are no speech, but what is to be found in them is known: the aligner finds a place for it."""
    path = tiny.write_corpus(tmp_path / "speech", samples=[16_000, 16_000, 200, 16_000])
    text = gzip.decompress(path.read_bytes()).decode()
    for old, new in (
        ('"text": "ab"', '"text": "a bead"'),
        ('"text": "ba c"', '"text": "a zq"'),
        ('"text": "a b"', '"text": ""'),
    ):
        assert old in text
        text = text.replace(old, new)
    path.write_bytes(gzip.compress(text.encode()))
    return path


def test_a_manifest_is_aligned_and_the_rest_is_listed(manifest: Path, tmp_path: Path) -> None:
    out, report = tmp_path / "aligned.jsonl.gz", tmp_path / "report.jsonl"
    done = run("align", manifest, "--out", out, "--report", report, "--word-positions")
    assert done.exit_code == 0, done.output
    first, *others = done.stdout.splitlines()
    assert first.startswith("2 of 4 transcripts aligned, ")
    assert first.endswith(f" ms on average, in {out}")
    assert {"1 not alignable", "1 without a transcript"} <= set(others)
    assert others[-1] == "1 words (1 different) are in no dictionary: guessed"
    assert "audio hours per hour" in done.stderr
    cuts = list(read_cuts(out))
    assert [is_aligned(cut) for cut in cuts] == [True, True, False, False]
    assert any(item.symbol.endswith("_S") for item in cuts[0].supervisions[0].alignment["phone"])
    rows = [json.loads(line) for line in report.read_text("utf-8").splitlines()]
    assert {row["cut"]: row["outcome"] for row in rows} | {
        cuts[2].id: "not alignable",
        cuts[3].id: "without a transcript",
    } == {row["cut"]: row["outcome"] for row in rows}


def test_a_score_drops_alignments_without_aligning_again(manifest: Path, tmp_path: Path) -> None:
    out = tmp_path / "aligned.jsonl.gz"
    assert run("align", manifest, "--out", out).exit_code == 0
    scores = sorted(cut.supervisions[0].custom["alignment_score"] for cut in read_cuts(out) if is_aligned(cut))
    (store,) = (tmp_path / "alignments").rglob("*.jsonl")
    content = store.read_bytes()
    done = run("align", manifest, "--out", out, "--min-score", (scores[0] + scores[1]) / 2)
    assert done.exit_code == 0, done.output
    assert "1 unlikely to be what is said" in done.stdout.splitlines()
    assert sum(is_aligned(cut) for cut in read_cuts(out)) == 1
    assert store.read_bytes() == content


def test_phones_are_decoded_where_there_is_no_transcript(manifest: Path, tmp_path: Path) -> None:
    out = tmp_path / "aligned.jsonl.gz"
    assert run("align", manifest, "--out", out).exit_code == 0
    done = run("align", manifest, "--out", out, "--decode")
    assert done.exit_code == 0, done.output
    assert "1 without a transcript, phones decoded" in done.stdout.splitlines()
    assert [DECODED in (cut.supervisions[0].custom or {}) for cut in read_cuts(out)] == [False, False, False, True]
    assert isinstance(run("align", manifest, "--out", out, "--decode", "--word-positions").exception, RecipeError)


def test_shards_make_the_manifest_of_the_whole(manifest: Path, tmp_path: Path) -> None:
    whole, parted, store = tmp_path / "whole.jsonl.gz", tmp_path / "parted.jsonl.gz", tmp_path / "store"
    assert run("align", manifest, "--out", whole).exit_code == 0
    first = run("align", manifest, "--out", parted, "--store", store, "--shard", "2/2")
    assert first.exit_code == 0, first.output
    assert not parted.exists()
    assert run("align", manifest, "--out", parted, "--store", store, "--shard", "1/2", "--jobs", 2).exit_code == 0
    assert list(read_cuts(parted)) == list(read_cuts(whole))


def test_where_nothing_can_be_aligned_nothing_is_written(manifest: Path, tmp_path: Path) -> None:
    out, report = tmp_path / "aligned.jsonl.gz", tmp_path / "report.jsonl"
    for recording in manifest.parent.rglob("*.wav"):
        recording.unlink()
    done = run("align", manifest, "--out", out, "--report", report)
    assert isinstance(done.exception, DataError)
    assert "not readable" in str(done.exception)
    assert not out.exists()
    assert len(report.read_text("utf-8").splitlines()) == 4


def test_a_manifest_that_is_missing_is_told(tmp_path: Path) -> None:
    done = run("align", tmp_path / "none.jsonl.gz", "--out", tmp_path / "out.jsonl.gz")
    assert isinstance(done.exception, DataError)
    assert not (tmp_path / "out.jsonl.gz").exists()
    assert run("align", tmp_path / "none.jsonl.gz").exit_code == 2


@pytest.mark.parametrize("jobs", [0, -1])
def test_there_is_at_least_one_process(tmp_path: Path, jobs: int) -> None:
    assert run("align", tmp_path / "a.jsonl.gz", "--out", tmp_path / "b.jsonl.gz", "--jobs", jobs).exit_code == 2


@pytest.mark.slow
def test_a_killed_run_goes_on_to_the_same_manifest(tmp_path: Path) -> None:
    """Killed as the system does when memory is full: nothing can be tidied up."""
    manifest = tiny.write_corpus(tmp_path / "speech", samples=[32_000] * 60)
    text = gzip.decompress(manifest.read_bytes()).decode()
    manifest.write_bytes(gzip.compress(re.sub('"text": "[^"]*"', '"text": "a bead"', text).encode()))
    out, whole, store = tmp_path / "out.jsonl.gz", tmp_path / "whole.jsonl.gz", tmp_path / "store"
    process = start(tmp_path / "log", "tokens", "align", manifest, "--out", out, "--store", store)
    while process.is_alive() and not any(path.read_bytes().count(b"\n") > 2 for path in store.rglob("*.jsonl")):
        time.sleep(0.02)
    process.kill()
    process.join()
    assert not out.exists(), (tmp_path / "log").read_text("utf-8")
    (kept,) = store.rglob("*.jsonl")
    before = kept.read_bytes()
    assert 2 < before.count(b"\n") < 60
    assert run("align", manifest, "--out", out, "--store", store).exit_code == 0
    assert run("align", manifest, "--out", whole, "--store", tmp_path / "other").exit_code == 0
    assert out.read_bytes() == whole.read_bytes()
    assert kept.read_bytes().startswith(before.rpartition(b"\n")[0])
    assert kept.read_bytes().count(b"\n") in (60, 61)


def test_a_phone_model_is_named_by_its_folder(manifest: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl.gz"
    decoding = run("align", manifest, "--out", out, "--model", tmp_path, "--decode")
    assert isinstance(decoding.exception, RecipeError)
    assert "recognize-phones" in str(decoding.exception)
    assert isinstance(run("align", manifest, "--out", out, "--model", tmp_path / "none").exception, CheckpointError)
    assert not out.exists()
