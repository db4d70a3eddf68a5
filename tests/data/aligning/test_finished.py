import json
import tempfile
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lhotse import MonoCut, Recording, SupervisionSegment
from lhotse.supervision import AlignmentItem

from sprachbund.data.aligning.finished import FinishedCuts, key_of
from sprachbund.data.aligning.results import Finding, Outcome

PRINT = "0123456789abcdef0123"
FOUND = (
    Finding(Outcome.ALIGNED, {"word": (AlignmentItem("ü", 0.1, 0.2),)}, -1.25),
    Finding(Outcome.NOT_ENGLISH, detail="a\nb"),
)


def cut_of(name: str, text: str = "us", start: float = 0.0) -> MonoCut:
    said = [SupervisionSegment(f"{name}-s", name, 0.0, 1.0, text=text)]
    return MonoCut(name, start, 1.0, 0, recording=Recording(name, [], 16_000, 32_000, 2.0), supervisions=said)


def write(folder: Path, file: str, *names: str) -> None:
    with closing(FinishedCuts(folder, PRINT).writer(file)) as writer:
        for name in names:
            writer.add(cut_of(name), FOUND)


def test_what_several_runs_wrote_is_read(tmp_path: Path) -> None:
    write(tmp_path, "1-of-2", "a")
    write(tmp_path, "2-of-2", "b")
    write(tmp_path, "1-of-2", "c")
    assert FinishedCuts(tmp_path, PRINT).read() == {key_of(cut_of(name)): FOUND for name in "abc"}
    assert FinishedCuts(tmp_path, "another" * 4).read() == {}


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_a_run_that_was_killed_leaves_what_was_whole(tmp_path: Path, data: st.DataObject) -> None:
    folder = Path(tempfile.mkdtemp(dir=tmp_path))
    write(folder, "whole", "a", "b", "c")
    (path,) = folder.rglob("*.jsonl")
    content = path.read_bytes()
    kept = content[: data.draw(st.integers(0, len(content)))]
    path.write_bytes(kept)
    num_whole = sum(len(line) > 0 and line in content.split(b"\n") for line in kept.split(b"\n"))
    assert len(FinishedCuts(folder, PRINT).read()) == num_whole
    write(folder, "whole", "d")
    read = FinishedCuts(folder, PRINT).read()
    assert len(read) == num_whole + 1
    assert read[key_of(cut_of("d"))] == FOUND


@pytest.mark.parametrize("line", ["", "[]", "{}", "null", '{"key": "k", "findings": 3}', "\x00\x01", "[" * 10_000])
def test_lines_that_are_none_of_ours_do_not_count(tmp_path: Path, line: str) -> None:
    write(tmp_path, "whole", "a")
    (path,) = tmp_path.rglob("*.jsonl")
    path.write_text(line + "\n" + path.read_text("utf-8"), "utf-8")
    assert FinishedCuts(tmp_path, PRINT).read().keys() == {key_of(cut_of("a"))}


def test_other_transcripts_and_places_are_other_keys() -> None:
    keys = {key_of(cut) for cut in (cut_of("a"), cut_of("b"), cut_of("a", "use"), cut_of("a", start=0.5))}
    assert len(keys) == 4
    assert key_of(cut_of("a")) == key_of(cut_of("a"))
    assert json.dumps(key_of(cut_of("ü\ud800")))
