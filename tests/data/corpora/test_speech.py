import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from sprachbund.data.corpora import speech
from sprachbund.data.corpora.layout import Clip, Origin, Prepared, find_prepared
from sprachbund.data.corpora.package_cache import Package
from sprachbund.data.corpora.speech import Speech, prepare_shard, prepare_speech, speech_corpus
from sprachbund.data.storage.manifest import read_cuts
from sprachbund.errors import CorpusError
from sprachbund.signal.audio import write_audio

CLIPS = [Clip(f"c{k:02d}", f"recordings/{k % 3}/{k:02d}.flac", 8000, 400 + k, f"text {k}", "en") for k in range(24)]


def decode(clip: Clip) -> np.ndarray:
    return np.full(clip.num_samples, int(clip.clip_id[1:]) / 64, dtype=np.float32)


@pytest.fixture
def made(tmp_path: Path, finish_tiny: Callable[..., Prepared]) -> Speech:
    origin = Origin("tiny", ("en",), "free", "me", ((Package("p", ()), tmp_path / "notices"),), ("copyright",))
    return Speech(origin, {"train": CLIPS[:20], "test": CLIPS[16:]}, decode)


def read_tree(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()
    }


def test_shards_share_out_all_recordings_and_none_twice(made: Speech, tmp_path: Path) -> None:
    whole = prepare_speech(lambda source: made, "tiny", (), tmp_path / "whole").folder
    seen: set[str] = set()
    for index in range(5):
        root = tmp_path / f"shard {index}"
        done = prepare_shard(lambda source: made, "tiny", root, None, False, (index, 5))
        files = set(read_tree(done.folder))
        assert not done.was_complete
        assert len(files) == done.num_recordings in (4, 5)
        assert not files & seen
        seen |= files
    assert seen == {name for name in read_tree(whole) if name.startswith("recordings/")}
    assert len(seen) == len(CLIPS)


def test_the_call_without_shard_finds_the_recordings_of_shards(
    made: Speech, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = prepare_speech(lambda source: made, "tiny", (), tmp_path / "whole").folder
    for index in (1, 0):
        done = prepare_shard(lambda source: made, "tiny", tmp_path / "parts", None, False, (index, 2))
        assert find_prepared(done.folder) is None
    monkeypatch.setattr(speech, "write_audio", lambda *_: pytest.fail("written again"))
    finished = prepare_speech(lambda source: made, "tiny", (), tmp_path / "parts").folder
    assert read_tree(finished) == read_tree(whole)
    done = prepare_shard(lambda source: pytest.fail("read again"), "tiny", tmp_path / "parts", None, False, (0, 2))
    assert (done.was_complete, done.num_recordings) == (True, 0)


@pytest.mark.parametrize("shard", [(2, 2), (-1, 2), (0, 0)])
def test_shards_that_are_none_are_refused(made: Speech, tmp_path: Path, shard: tuple[int, int]) -> None:
    with pytest.raises(CorpusError, match="no such shard"):
        prepare_shard(lambda source: made, "tiny", tmp_path, None, False, shard)
    assert list(tmp_path.glob("tiny")) == []


# A corpus of its own in a process of its own: recordings come slowly, so that a kill meets one half done.
PROCESS = """
import sys, time
from pathlib import Path
import numpy as np
from sprachbund.data.corpora.layout import Clip, Origin
from sprachbund.data.corpora.package_cache import Package
from sprachbund.data.corpora.speech import Speech, prepare_shard, prepare_speech

clips = [Clip(f"c{k:02d}", f"recordings/{k % 3}/{k:02d}.flac", 8000, 400 + k, f"text {k}", "en") for k in range(24)]

def decode(clip):
    time.sleep(0.05)
    return np.full(clip.num_samples, int(clip.clip_id[1:]) / 64, dtype=np.float32)

root, notices, index = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
origin = Origin("tiny", ("en",), "free", "me", ((Package("p", ()), notices),), ("copyright",))
made = Speech(origin, {"train": clips[:20], "test": clips[16:]}, decode)
prepare_shard(lambda source: made, "tiny", root, None, False, (index, 2))
"""


def test_shards_run_at_the_same_time_and_a_killed_one_goes_on(
    made: Speech, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = prepare_speech(lambda source: made, "tiny", (), tmp_path / "whole").folder
    root = tmp_path / "parts"

    def start(index: int) -> subprocess.Popen[bytes]:
        return subprocess.Popen([sys.executable, "-c", PROCESS, str(root), str(tmp_path / "notices"), str(index)])

    def written(index: int) -> list[Path]:
        names = [name for name in sorted(read_tree(whole)) if name.startswith("recordings/")][index::2]
        return [root / "tiny" / name for name in names if (root / "tiny" / name).exists()]

    killed, other = start(0), start(1)
    deadline = time.monotonic() + 60
    while not written(0) and time.monotonic() < deadline:
        time.sleep(0.01)
    killed.send_signal(signal.SIGKILL)
    assert killed.wait(60) == -signal.SIGKILL
    kept = {path: path.stat().st_mtime_ns for path in written(0)}
    assert 0 < len(kept) < len(CLIPS) // 2
    assert start(0).wait(60) == 0
    assert other.wait(60) == 0
    assert len(written(0)) == len(written(1)) == len(CLIPS) // 2
    assert {path: path.stat().st_mtime_ns for path in kept} == kept
    monkeypatch.setattr(speech, "write_audio", lambda *_: pytest.fail("written again"))
    monkeypatch.setattr(speech, "_ABANDONED", -1.0)  # none runs any more
    assert read_tree(prepare_speech(lambda source: made, "tiny", (), root).folder) == read_tree(whole)


def test_only_old_temporary_files_are_removed(made: Speech, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "tiny"
    prepare_shard(lambda source: made, "tiny", tmp_path, None, False, (0, 2))
    left = folder / "recordings/0/.00.abc.flac"
    left.write_bytes(b"half")
    prepare_speech(lambda source: made, "tiny", (), tmp_path)
    assert left.exists()
    monkeypatch.setattr(speech, "_ABANDONED", -1.0)
    (folder / "corpus.json").unlink()
    prepare_speech(lambda source: made, "tiny", (), tmp_path)
    assert not left.exists()
    assert len(list((folder / "recordings").rglob("*.flac"))) == len(CLIPS)


def test_several_processes_write_the_same_as_one(made: Speech, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one = prepare_speech(lambda source: made, "tiny", (), tmp_path / "one").folder
    used = []
    monkeypatch.setattr(speech, "_FEW", 8)
    monkeypatch.setattr(speech.os, "cpu_count", lambda: 2)
    monkeypatch.setattr(
        speech, "in_processes", lambda function, things, jobs: used.append(jobs) or map(function, things)
    )
    two = prepare_speech(lambda source: made, "tiny", (), tmp_path / "two").folder
    assert used == [2]
    assert read_tree(one) == read_tree(two)


def test_recordings_that_are_cut_short_are_written_again(made: Speech, tmp_path: Path) -> None:
    folder = prepare_speech(lambda source: made, "tiny", (), tmp_path).folder
    before = read_tree(folder)
    (folder / "corpus.json").unlink()
    (folder / "recordings/0/00.flac").write_bytes(before["recordings/0/00.flac"][:-20])
    write_audio(folder / "recordings/1/01.flac", np.zeros(5, np.float32), 8000)
    prepare_speech(lambda source: made, "tiny", (), tmp_path)
    assert read_tree(folder) == before


def test_training_loses_what_avoided_corpora_hold_out(
    made: Speech, tmp_path: Path, finish_tiny: Callable[..., Prepared]
) -> None:
    finish_tiny(tmp_path / "near", train=["text 1"], dev=["Text 2!"], test=["text 17"])
    finish_tiny(tmp_path / "far", train=["x"], test=["text 3"])
    prepared = prepare_speech(lambda source: made, "tiny", ("near", "absent"), tmp_path)
    ids = [cut.id for cut in read_cuts(prepared.folder / "train.jsonl.gz")]
    assert ids == [clip.clip_id for clip in CLIPS[:20] if clip.clip_id not in ("c02", "c17")]
    assert len(read_cuts(prepared.folder / "test.jsonl.gz")) == 8
    assert list(prepared.description["checked_against"]) == ["near"]


def test_a_row_prepares_and_shards(made: Speech, tmp_path: Path) -> None:
    row = speech_corpus(
        lambda source: made, name="tiny", languages=("en",), minutes=0.1, licence="free", description="d", avoids=("x",)
    )
    assert row.prepare_shard is not None
    assert row.prepare_shard(tmp_path, None, False, (0, 1)).num_recordings == len(CLIPS)
    assert row.prepare(tmp_path, None, False).description["splits"]["train"]["cuts"] == 20
    assert (row.kind, row.avoids) == ("speech", ("x",))
