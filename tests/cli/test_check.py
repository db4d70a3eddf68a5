import gzip
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import soundfile
from lhotse.utils import fastcopy

import tiny
from commands import Outcome, assert_refused, fingerprints, run_command
from line_work import write_units
from sprachbund.data.storage.manifest import read_cuts, write_cuts
from sprachbund.data.text.checking import check_store


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A sound corpus with units, a test set, a text, a tokenizer and a unit model; the command is run beside them."""
    units = tiny.unit_model()
    tiny.write_corpus(tmp_path, 6, units=units, name="train")
    tiny.write_corpus(tmp_path, 2, samples=[9001, 9501], name="test")
    cuts = [fastcopy(cut, supervisions=[]) for cut in read_cuts(tmp_path / "test.jsonl.gz")]
    for cut, text in zip(cuts, ("face a cab", "fed a bee"), strict=True):
        cut.supervisions = [fastcopy(next(iter(tiny.make_cuts(tmp_path / "s", 1))).supervisions[0], text=text)]
    write_cuts(cuts, tmp_path / "test.jsonl.gz")
    tiny.write_text(tmp_path, tiny.LINES[:12])
    units.save(tmp_path / "units_model")
    tiny.character_tokenizer().save(tmp_path / "tokenizer")
    monkeypatch.chdir(tmp_path)
    return tmp_path


ALL = "train.jsonl.gz --against test.jsonl.gz --text text.txt --vocabulary tokenizer --units units_model --rate 16000"


def run(arguments: str) -> Outcome:
    return run_command("check", *arguments.split(" "))


def damage(place: Path) -> None:
    (place / "audio" / "train-002.wav").unlink()
    with (place / "text.txt").open("a") as text:
        text.write("fed a bee\nxyz\n")


def test_clean_data(place: Path):
    before = fingerprints(place)
    outcome = run(f"{ALL} --max-seconds 2 --max-characters 20 --json report.json")
    assert (outcome.code, outcome.err) == (0, "")
    lines = outcome.out.splitlines()
    assert lines[0].startswith("test.jsonl.gz: 2 clips, ")
    assert lines[1].startswith("train.jsonl.gz: 6 clips, ")
    assert lines[2].startswith("text.txt: 12 lines, ")
    assert "decoded in full" in lines[3]
    assert lines[4:] == ["warnings: none", "problems: none"]
    report = json.loads((place / "report.json").read_text())
    assert report["clean"] is True
    assert {name: digest for name, digest in fingerprints(place).items() if name != "report.json"} == before


def test_problems_are_a_table_and_a_sentence(place: Path):
    damage(place)
    before = fingerprints(place)
    outcome = run(ALL)
    assert outcome.code == 2
    assert_refused(Outcome(outcome.code, "", outcome.err), "3 problems", "missing-audio 1", "--fix OUT")
    table = outcome.out.split("problems:\n")[1]
    assert [line.split()[0] for line in table.splitlines() if line[0] != " "] == [
        "missing-audio",
        "unknown-characters",
        "held-out-text",
    ]
    assert "train-002 (train.jsonl.gz, line 3; " in table
    assert "text.txt, line 13: 'fed a bee'" in table
    assert fingerprints(place) == before


def test_the_report_for_programs_is_written_of_bad_data_too(place: Path):
    damage(place)
    assert run(f"{ALL} --json report.json").code == 2
    report = json.loads((place / "report.json").read_text())
    assert report["clean"] is False
    assert {kind: found["count"] for kind, found in report["problems"].items()} == {
        "missing-audio": 1,
        "unknown-characters": 1,
        "held-out-text": 1,
    }
    assert report["problems"]["missing-audio"]["examples"][0]["id"] == "train-002"


def test_what_is_sound_is_written(place: Path):
    damage(place)
    before = fingerprints(place)
    outcome = run(f"{ALL} --fix clean --json report.json")
    assert (outcome.code, outcome.err) == (0, "")
    assert "clean/train.jsonl.gz: 5 kept, 1 dropped (missing-audio 1)" in outcome.out
    assert "clean/text.txt: 12 kept, 2 dropped (held-out-text 1, unknown-characters 1)" in outcome.out
    assert "clean.dropped.jsonl" in outcome.out
    assert [each["kept"] for each in json.loads((place / "report.json").read_text())["fixed"]] == [5, 12]
    after = fingerprints(place)
    assert {name: after[name] for name in before} == before
    assert run(ALL.replace("train", "clean/train").replace("text.txt", "clean/text.txt")).code == 0


def test_problems_of_held_out_sets_stay(place: Path):
    (place / "audio" / "test-001.wav").write_bytes(b"")
    outcome = run("train.jsonl.gz --against test.jsonl.gz --fix clean.jsonl.gz")
    assert outcome.code == 2
    assert "1 problems of held-out sets stay in test.jsonl.gz" in outcome.err
    assert len(read_cuts(place / "clean.jsonl.gz")) == 6
    assert run("test.jsonl.gz --fix test-clean.jsonl.gz").code == 0
    assert len(read_cuts(place / "test-clean.jsonl.gz")) == 1


def test_headers_alone_are_quick_and_see_less(place: Path):
    path = place / "audio" / "train-000.wav"
    samples, rate = soundfile.read(path, dtype="int16")
    soundfile.write(path, samples, rate, format="FLAC")
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    quick, full = run("train.jsonl.gz --quick"), run("train.jsonl.gz")
    assert quick.code == 0
    assert "headers only" in quick.out
    assert full.code == 2
    assert "unreadable-audio 1" in full.err
    path.unlink()
    assert run("train.jsonl.gz --quick").code == 2


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ("--rate 16000", "nothing to check"),
        ("none.jsonl.gz", "no such file in none.jsonl.gz"),
        ("train.jsonl.gz --against train.jsonl.gz", "given twice"),
        ("train.jsonl.gz --fix train.jsonl.gz", "would replace what is checked"),
        ("train.jsonl.gz --text text.txt --fix a.jsonl", "several files cannot be written to one"),
        ("train.jsonl.gz --vocabulary none", "none"),
        ("train.jsonl.gz --units none", "none"),
    ],
)
def test_bad_arguments_are_refused_before_the_work(place: Path, arguments: str, told: str):
    before = fingerprints(place)
    assert_refused(run(arguments), told)
    assert fingerprints(place) == before


def test_nothing_is_left_where_everything_is_bad(place: Path):
    before = fingerprints(place)
    outcome = run("train.jsonl.gz --rate 8000 --fix clean")
    assert outcome.code == 2
    assert "a manifest without cuts cannot be written" in outcome.err
    assert fingerprints(place) == before


@pytest.mark.parametrize("content", [b"", b"\xff\xfe\x00", b"{}\n", b"[" * 9999, gzip.compress(b"{}", mtime=0)[:-3]])
@pytest.mark.parametrize("name", ["a.jsonl", "a.jsonl.gz"])
def test_any_manifest_ends_in_a_table(place: Path, name: str, content: bytes):
    (place / name).write_bytes(content)
    outcome = run(name)
    assert outcome.code == 2
    assert "problems:\n" in outcome.out
    assert_refused(Outcome(outcome.code, "", outcome.err), name)


def test_as_a_process(place: Path):
    """The way a user calls it: the exit code, and a standard output that holds nothing but the result."""
    damage(place)
    command = [sys.executable, "-m", "sprachbund", "check", *ALL.split(" ")]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ, "COLUMNS": "40"})
    assert done.returncode == 2
    assert done.stdout == run(ALL).out
    assert done.stderr.count("\n") == 1


def test_line_stores_are_read_in_full(place: Path):
    store = write_units(place / "store", [([1, 2], "ab")])
    outcome = run("store")
    assert (outcome.code, outcome.out) == (0, f"store: {check_store(store)}\n")
    both = run("store train.jsonl.gz")
    assert both.code == 0
    assert both.out.startswith("store: 1 lines")
    assert "train.jsonl.gz: " in both.out
    content = bytearray((store / "units.items").read_bytes())
    content[0] ^= 1
    (store / "units.items").write_bytes(content)
    assert_refused(run("store"), "not the one that the line store was written with", "units.items")
