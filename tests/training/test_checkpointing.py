import io
import pickle
import resource
import zipfile
from pathlib import Path
from typing import Any

import pytest
import torch

import tiny
from sprachbund.errors import CheckpointError
from sprachbund.training.checkpointing import (
    AtomicCheckpointIO,
    checkpoint_path,
    damage,
    list_checkpoints,
    newest_sound_checkpoint,
    read_checkpoint,
    remove_unfinished,
)

CONTENT = {
    "state_dict": {"weight": torch.arange(50.0), "bias": torch.ones(3)},
    "global_step": 7,
    "data": {"next_step": 7, "cursors": {"speech": [1, 2]}},
}


def same(content: dict[str, Any]) -> bool:
    tensors = zip(content["state_dict"].values(), CONTENT["state_dict"].values(), strict=True)  # type: ignore[attr-defined]
    rest = {key: value for key, value in content.items() if key != "state_dict"}
    expected = {key: value for key, value in CONTENT.items() if key != "state_dict"}
    return rest == expected and all(torch.equal(one, other) for one, other in tensors)


def save(path: Path, content: dict[str, Any] | None = None) -> Path:
    AtomicCheckpointIO().save_checkpoint(CONTENT if content is None else content, path)
    return path


def test_what_is_written_is_read(tmp_path: Path) -> None:
    path = save(tmp_path / "new" / "a.ckpt")
    assert damage(path) is None
    assert same(read_checkpoint(path))
    assert same(AtomicCheckpointIO().load_checkpoint(str(path), weights_only=False))
    assert [entry.name for entry in path.parent.iterdir()] == ["a.ckpt"]
    AtomicCheckpointIO().remove_checkpoint(path)
    AtomicCheckpointIO().remove_checkpoint(path)
    assert not path.exists()


def test_a_write_that_fails_leaves_the_old_checkpoint(tmp_path: Path) -> None:
    path = save(tmp_path / "a.ckpt")
    before = path.read_bytes()
    with pytest.raises((AttributeError, pickle.PicklingError)):
        save(path, {"state_dict": {"weight": torch.ones(9)}, "what cannot be written": lambda: None})
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_checkpoints_are_listed_newest_first(tmp_path: Path) -> None:
    for step in (5, 100, 20, 99_999_999):
        checkpoint_path(tmp_path, step).touch()
    for other in ("step-1.ckpt", ".step-00000007.ckpt", "step-00000008.ckpt.tmp", "best.ckpt"):
        (tmp_path / other).touch()
    found = [path.name for path in list_checkpoints(tmp_path)]
    assert found == [f"step-{step:08d}.ckpt" for step in (99_999_999, 100, 20, 5)]
    assert list_checkpoints(tmp_path / "missing") == []


@pytest.mark.parametrize("share", [0.0, 0.02, 0.3, 0.5, 0.8, 0.97, 1.0])
def test_a_truncated_checkpoint_is_refused(tmp_path: Path, share: float) -> None:
    path = save(tmp_path / "a.ckpt")
    whole = path.read_bytes()
    path.write_bytes(whole[: min(int(share * len(whole)), len(whole) - 1)])
    assert damage(path) is not None
    with pytest.raises(CheckpointError, match="cannot be used") as caught:
        read_checkpoint(path)
    assert str(path) in str(caught.value)


def test_a_flipped_byte_is_refused_or_changes_nothing(tmp_path: Path) -> None:
    """Between the parts of the archive there is padding; everywhere else a wrong byte is found."""
    path = save(tmp_path / "a.ckpt")
    whole = path.read_bytes()
    refused = 0
    for place in range(0, len(whole), 7):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 0x41]) + whole[place + 1 :])
        try:
            content = read_checkpoint(path)
        except CheckpointError:
            refused += 1
        else:
            assert same(content), place
    assert refused > len(whole) // 21
    # The tensors themselves are found without exception.
    start = whole.index(CONTENT["state_dict"]["weight"].numpy().tobytes())  # type: ignore[index]
    for place in range(start, start + 200, 7):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        assert "damaged" in str(damage(path))


@pytest.mark.parametrize("is_archive", [True, False])
def test_nothing_in_a_checkpoint_is_executed(tmp_path: Path, is_archive: bool) -> None:
    path, mark = tmp_path / "a.ckpt", tmp_path / "executed"
    content = {"state_dict": {}, "trap": tiny.Trap(f"touch {mark}")}
    if is_archive:
        torch.save(content, path)
    else:
        path.write_bytes(pickle.dumps(content))
    for read in (read_checkpoint, AtomicCheckpointIO().load_checkpoint):
        with pytest.raises(CheckpointError) as caught:
            read(path)
        assert str(path) in str(caught.value)
    assert not mark.exists()
    pickle.loads(pickle.dumps(content))
    assert mark.exists()  # so the trap was armed


def test_other_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.ckpt"
    buffer = io.BytesIO()
    torch.save(torch.ones(3), buffer)
    for content, told in ((b"a text file\n", "not a checkpoint"), (buffer.getvalue(), "not a checkpoint of a run")):
        path.write_bytes(content)
        with pytest.raises(CheckpointError, match=told):
            read_checkpoint(path)
    path.unlink()
    with pytest.raises(CheckpointError, match="no such file"):
        read_checkpoint(path)
    with pytest.raises(CheckpointError):
        read_checkpoint(tmp_path)


def test_the_newest_sound_checkpoint_is_found(tmp_path: Path) -> None:
    told: list[str] = []
    assert newest_sound_checkpoint(tmp_path, told.append) is None
    paths = [save(checkpoint_path(tmp_path, step)) for step in (1, 2, 3)]
    assert newest_sound_checkpoint(tmp_path, told.append) == paths[2]
    assert told == []
    paths[2].write_bytes(paths[2].read_bytes()[:-30])
    content = bytearray(paths[1].read_bytes())
    content[content.index(CONTENT["state_dict"]["weight"].numpy().tobytes()) + 9] ^= 4  # type: ignore[index]
    paths[1].write_bytes(content)
    assert newest_sound_checkpoint(tmp_path, told.append) == paths[0]
    assert [str(path) in sentence for path, sentence in zip(paths[:0:-1], told, strict=True)] == [True, True]
    assert all("refused" in sentence for sentence in told)
    torch.save({"trap": tiny.Trap("true")}, paths[2])
    assert newest_sound_checkpoint(tmp_path, told.append) == paths[0]
    paths[0].write_bytes(b"")
    assert newest_sound_checkpoint(tmp_path, told.append) is None


def test_a_full_disk_is_told_and_leaves_the_old_checkpoint(tmp_path: Path) -> None:
    """The error of the system comes wrapped in one of torch's, about an archive that was not finished."""
    path = save(tmp_path / "a.ckpt")
    before = path.read_bytes()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) // 2, limits[1]))
    try:
        with pytest.raises(CheckpointError, match="cannot be written") as caught:
            save(path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert "File too large" in str(caught.value)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_errors_of_programs_are_not_taken_for_a_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any) -> None:
        raise RuntimeError("a wrong shape")

    monkeypatch.setattr(torch, "save", broken)
    with pytest.raises(RuntimeError, match="a wrong shape"):
        save(tmp_path / "a.ckpt")


def test_what_a_killed_process_had_begun_is_deleted(tmp_path: Path) -> None:
    remove_unfinished(tmp_path / "missing")
    path = save(checkpoint_path(tmp_path, 3))
    for name in (".step-00000003.x7_a9bcd.ckpt", ".step-00000006.abcdefgh.ckpt"):
        (tmp_path / name).write_bytes(b"half")
    (tmp_path / ".other").touch()
    remove_unfinished(tmp_path)
    assert sorted(entry.name for entry in tmp_path.iterdir()) == [".other", path.name]


def test_an_archive_whose_parts_are_compressed_is_refused_unread(tmp_path: Path) -> None:
    torch.save({"a": torch.zeros(1000)}, tmp_path / "sound.ckpt")
    with (
        zipfile.ZipFile(tmp_path / "sound.ckpt") as old,
        zipfile.ZipFile(tmp_path / "b.ckpt", "w", zipfile.ZIP_DEFLATED) as new,
    ):
        for name in old.namelist():
            new.writestr(name, old.read(name))
    assert damage(tmp_path / "sound.ckpt") is None
    assert "compressed" in str(damage(tmp_path / "b.ckpt"))
