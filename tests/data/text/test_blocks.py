import json
import shutil
import signal
import subprocess
import sys
import time
import tracemalloc
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from commands import fingerprints
from line_work import Spelling
from sprachbund.data.text import blocks as blocks_module
from sprachbund.data.text.blocks import Rejected, Work, transform_lines
from sprachbund.data.text.fields import Field, IdsField, TextField
from sprachbund.data.text.lines import Line
from sprachbund.data.text.store import LineStore
from sprachbund.data.text.writer import Fields
from sprachbund.data.units import Shard
from sprachbund.errors import DataError
from sprachbund.tokens.vocabulary import Vocabulary

NUM_LINES = 333  # six blocks


@pytest.fixture
def text(tmp_path: Path) -> Path:
    """Lines of 0 to 6 letters, one of which is not UTF-8."""
    lines = [("é" * (number % 7)).encode() for number in range(NUM_LINES)]
    lines[100] = b"\xff"
    (tmp_path / "text.txt").write_bytes(b"".join(line + b"\n" for line in lines))
    return tmp_path / "text.txt"


def blocks_done(log: Path) -> int:
    return len(log.read_text()) if log.exists() else 0


def test_every_line_is_made_or_counted_and_listed(text: Path, tmp_path: Path) -> None:
    assert isinstance(Spelling(), Work)
    outcome = transform_lines(text, Spelling(), tmp_path / "out")
    long = [number for number in range(NUM_LINES) if number % 7 == 6 and number != 100]
    assert outcome.rejected == {"long": len(long), "not readable": 1}
    assert (outcome.lines, outcome.made) == (NUM_LINES, NUM_LINES - len(long) - 1)
    store = LineStore(tmp_path / "out")
    kept = [number for number in range(NUM_LINES) if number % 7 != 6 and number != 100]
    assert [store.text("text", number) for number in range(len(store))] == ["É" * (number % 7) for number in kept]
    assert store.tokens("codes", 2).tolist() == [ord("é")] * 2
    listed = [json.loads(line) for line in (tmp_path / "out" / "rejected.jsonl").read_text("utf-8").splitlines()]
    assert [record["line"] for record in listed] == sorted([*(number + 1 for number in long), 101])
    assert listed[0] == {"line": 7, "reason": "long", "detail": "6 letters", "text": "éééééé"}
    assert {"line": 101, "reason": "not readable", "detail": "a line is not UTF-8"} in listed
    assert outcome.sentences()[0] == f"{outcome.made} of {NUM_LINES} lines"
    assert f"{len(long)} left out: long; they are listed in" in outcome.sentences()[1]
    assert not (tmp_path / "out.blocks").exists()


def test_processes_and_shards_give_the_same_bytes(text: Path, tmp_path: Path) -> None:
    transform_lines(text, Spelling(), tmp_path / "plain")
    transform_lines(text, Spelling(), tmp_path / "jobs", jobs=2)
    one = transform_lines(text, Spelling(), tmp_path / "shards", shard=Shard(2, 2))
    assert one.store is None
    assert 0 < one.lines < NUM_LINES
    assert not (tmp_path / "shards").exists()
    assert "listed" not in " ".join(one.sentences())
    whole = transform_lines(text, Spelling(), tmp_path / "shards", shard=Shard(1, 2))
    assert whole.lines == NUM_LINES
    expected = fingerprints(tmp_path / "plain")
    assert fingerprints(tmp_path / "jobs") == fingerprints(tmp_path / "shards") == expected


def test_finished_blocks_are_kept_and_damaged_ones_made_again(text: Path, tmp_path: Path) -> None:
    log = tmp_path / "log"
    transform_lines(text, Spelling(), tmp_path / "plain")
    transform_lines(text, Spelling(log=log), tmp_path / "out", shard=Shard(1, 2))
    assert blocks_done(log) == 3
    blocks = sorted((tmp_path / "out.blocks" / "0000").iterdir())
    (blocks[1] / "codes.items").write_bytes(b"")
    (blocks[0].parent / f".{blocks[0].name}.begun").mkdir()  # of a killed process
    transform_lines(text, Spelling(log=log), tmp_path / "out")
    assert blocks_done(log) == 3 + 4
    assert fingerprints(tmp_path / "out") == fingerprints(tmp_path / "plain")
    again = transform_lines(text, Spelling(log=log), tmp_path / "out", jobs=2)
    assert (again.lines, again.rejected["long"], blocks_done(log)) == (NUM_LINES, 47, 7)


def test_other_lines_and_other_settings_are_refused(text: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    transform_lines(text, Spelling(), out, shard=Shard(1, 2))
    for source, work in ((text, Spelling(limit=4)), (Path(__file__), Spelling())):
        with pytest.raises(DataError, match="unfinished blocks of other lines or other settings"):
            transform_lines(source, work, out)
    (tmp_path / "out.blocks" / "settings.json").write_text("{")
    with pytest.raises(DataError, match="unfinished blocks of other lines"):
        transform_lines(text, Spelling(), out)
    shutil.rmtree(tmp_path / "out.blocks")
    transform_lines(text, Spelling(), out)
    before = fingerprints(out)
    with pytest.raises(DataError, match="a store of other lines or other settings"):
        transform_lines(text, Spelling(limit=4), out)
    assert fingerprints(out) == before
    (tmp_path / "else").mkdir()
    (tmp_path / "else" / "file").write_text("mine")
    with pytest.raises(DataError, match="holds something already"):
        transform_lines(text, Spelling(), tmp_path / "else")
    assert not (tmp_path / "else.blocks").exists()


def test_what_leaves_nothing_is_an_error_that_says_why(tmp_path: Path) -> None:
    (tmp_path / "long.txt").write_text("too long a line\n" * 3)
    (tmp_path / "none.txt").write_text("")
    with pytest.raises(DataError, match=r"no line of text is left .*\(given: 3 of 3: long\)"):
        transform_lines(tmp_path / "long.txt", Spelling(), tmp_path / "out")
    with pytest.raises(DataError, match=r"no line of text is left .*\(given: no line\)"):
        transform_lines(tmp_path / "none.txt", Spelling(), tmp_path / "out")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["long.txt", "none.txt"]


def test_two_processes_that_join_at_once_do_no_harm(
    text: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other one is quicker: when this one has joined its blocks, the store is there."""
    out = tmp_path / "out"
    transform_lines(text, Spelling(), tmp_path / "other")
    replace = Path.replace

    def overtaken(path: Path, target: Path) -> Path:
        if path.name == "whole":
            (tmp_path / "other").rename(out)
        return replace(path, target)

    monkeypatch.setattr(Path, "replace", overtaken)
    outcome = transform_lines(text, Spelling(), out)
    assert outcome.store is not None
    assert outcome.store.folder == out
    assert not (tmp_path / "out.blocks").exists()


@pytest.mark.parametrize("is_damaged", [False, True])
def test_a_process_that_ends_between_joining_and_renaming_is_gone_on_from(
    text: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_damaged: bool
) -> None:
    transform_lines(text, Spelling(), tmp_path / "plain")
    replace = Path.replace

    def ended(path: Path, target: Path) -> Path:
        if path.name == "whole":
            raise KeyboardInterrupt
        return replace(path, target)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(Path, "replace", ended)
        transform_lines(text, Spelling(), tmp_path / "out")
    whole = tmp_path / "out.blocks" / "whole"
    assert whole.is_dir()
    if is_damaged:
        (whole / "codes.ends").write_bytes(b"")
    transform_lines(text, Spelling(), tmp_path / "out")
    assert fingerprints(tmp_path / "out") == fingerprints(tmp_path / "plain")
    assert not (tmp_path / "out.blocks").exists()


def test_facts_that_are_damaged_are_told(text: Path, tmp_path: Path) -> None:
    transform_lines(text, Spelling(), tmp_path / "out")
    path = tmp_path / "out" / "store.json"
    path.write_text(path.read_text().replace('"left_out": {', '"left_out": 3, "x": {'))
    with pytest.raises(DataError, match="facts of a line store are damaged"):
        transform_lines(text, Spelling(), tmp_path / "out")


def test_blocks_grow_with_the_source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blocks_module, "_BLOCKS", 8)
    monkeypatch.setattr(blocks_module, "_MOST", 100)
    log = tmp_path / "log"
    for lines, blocks in ((1, 1), (64, 1), (65, 2), (700, 9), (1000, 10)):
        (tmp_path / "text.txt").write_text("a\n" * lines)
        transform_lines(tmp_path / "text.txt", Spelling(log=log), tmp_path / f"out{lines}")
        assert blocks_done(log) == blocks, lines
        log.unlink()


KILLED = """
import sys
from pathlib import Path
from line_work import Spelling
from sprachbund.data.text import blocks as blocks_module
from sprachbund.data.text.blocks import transform_lines

if __name__ == "__main__":
    text, out, log, jobs = sys.argv[1:]
    transform_lines(text, Spelling(log=Path(log), pause=0.3), Path(out), jobs=int(jobs))
"""


@pytest.mark.slow
@pytest.mark.parametrize("jobs", [1, 2])
def test_a_killed_process_is_gone_on_from(text: Path, tmp_path: Path, jobs: int) -> None:
    transform_lines(text, Spelling(), tmp_path / "plain")
    (tmp_path / "killed.py").write_text(KILLED)
    log, out = tmp_path / "log", tmp_path / "out"
    command = [sys.executable, tmp_path / "killed.py", text, out, log, str(jobs)]
    environment = {"PYTHONPATH": str(Path(__file__).parents[2]), "PATH": "", "OMP_NUM_THREADS": "1"}
    with subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL) as process:
        until = time.monotonic() + 120
        while blocks_done(log) < 3 and time.monotonic() < until:
            time.sleep(0.02)
        process.send_signal(signal.SIGKILL)
    assert 3 <= blocks_done(log) < 6
    assert not out.exists()
    time.sleep(1)  # the processes of the killed one leave too
    begun = blocks_done(log)
    transform_lines(text, Spelling(log=log), out)
    assert fingerprints(out) == fingerprints(tmp_path / "plain")
    assert blocks_done(log) - begun < 6, "finished blocks were made again"
    assert not (tmp_path / "out.blocks").exists()


class Copying(Spelling):
    """Lines as they are."""

    def fields(self) -> Mapping[str, Field]:
        return {"text": TextField()}

    def _spell(self, lines: Sequence[Line]) -> list[Fields | Rejected]:
        return [{"text": line.text} for line in lines]


@pytest.mark.slow
def test_memory_does_not_grow_with_the_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A text of 80 MB, whose index is kept in the cache, is worked through in a fraction of that."""
    monkeypatch.setenv("SPRACHBUND_CACHE", str(tmp_path / "cache"))
    with (tmp_path / "big.txt").open("w") as handle:
        for number in range(8000):
            handle.write(f"{number:09999d}\n")
    tracemalloc.start()
    outcome = transform_lines(tmp_path / "big.txt", Copying(), tmp_path / "out")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert outcome.made == 8000
    assert peak < 24 << 20, peak
    store = LineStore(tmp_path / "out")
    assert [int(store.text("text", number)[-9:]) for number in (0, 4711, 7999)] == [0, 4711, 7999]


@dataclass(frozen=True)
class Sounding(Spelling):
    """Symbols of a vocabulary."""

    def fields(self) -> Mapping[str, Field]:
        return {"codes": IdsField.of_symbols(Vocabulary("éx"))}

    def _spell(self, lines: Sequence[Line]) -> list[Fields | Rejected]:
        return [{"codes": [4] * len(line.text)} for line in lines]


def test_vocabularies_are_written_once(text: Path, tmp_path: Path) -> None:
    transform_lines(text, Sounding(), tmp_path / "out", shard=Shard(1, 2))
    assert list((tmp_path / "out.blocks").rglob("*.vocabulary.txt")) == []
    store = transform_lines(text, Sounding(), tmp_path / "out").store
    assert store is not None
    assert store.fields == Sounding().fields()
    assert store.text("codes", 3) == "é é é"
