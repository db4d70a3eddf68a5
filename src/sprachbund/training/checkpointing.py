"""Training checkpoints: written whole or not at all, checked before use, the newest sound one found."""

import re
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from lightning.fabric.plugins.io.checkpoint_io import CheckpointIO

from sprachbund.errors import CheckpointError
from sprachbund.files import write_atomically

_NAME = re.compile(r"step-(\d{8})\.ckpt")
_UNFINISHED = ".step-*.ckpt"  # as `write_atomically` names what it has not finished


def checkpoint_path(folder: Path, step: int) -> Path:
    """Where the checkpoint after `step` optimizer steps stands."""
    return folder / f"step-{step:08d}.ckpt"


def list_checkpoints(folder: Path) -> list[Path]:
    """Checkpoints of a run, newest first."""
    found = [path for path in folder.glob("step-*.ckpt") if _NAME.fullmatch(path.name)] if folder.is_dir() else []
    return sorted(found, reverse=True)


def remove_unfinished(folder: Path) -> None:
    """Delete the checkpoints that processes had begun to write when they were killed."""
    for path in folder.glob(_UNFINISHED) if folder.is_dir() else ():
        path.unlink(missing_ok=True)


def read_checkpoint(path: Path, map_location: Any = "cpu") -> dict[str, Any]:
    """Read a checkpoint: tensors and plain containers only, nothing in it is executed.

    Raises:
        CheckpointError: the file is truncated, damaged, or holds something else.
    """
    problem = damage(path)
    if problem:
        raise CheckpointError("this checkpoint cannot be used", where=path, given=problem, mend="Delete it and resume.")
    try:
        content = torch.load(path, map_location=map_location, weights_only=True)
    except Exception as error:
        reason = " ".join(str(error).split())[:160]
        raise CheckpointError("this checkpoint cannot be read", where=path, given=reason) from None
    if not isinstance(content, dict):
        raise CheckpointError("this file is not a checkpoint of a run", where=path)
    return content


def damage(path: Path) -> str | None:
    """What is wrong with a checkpoint file, or None. Every byte is checked against its sum (CRC-32 of the archive)."""
    try:
        with zipfile.ZipFile(path) as archive:
            if any(part.compress_type != zipfile.ZIP_STORED for part in archive.infolist()):
                return "not a checkpoint: its parts are compressed"  # and may unpack to more than the memory holds
            broken = archive.testzip()
    except FileNotFoundError:
        return "no such file"
    except Exception as error:  # a wrong byte in a header may look like any feature of archives
        return f"truncated or not a checkpoint: {error}"
    return f"its part {broken} is damaged" if broken else None


def newest_sound_checkpoint(folder: Path, warn: Callable[[str], None]) -> Path | None:
    """The newest checkpoint that can be read; each refused one is told to `warn` in a sentence."""
    for path in list_checkpoints(folder):
        try:
            read_checkpoint(path)
        except CheckpointError as error:
            warn(f"{path} is refused ({error.given or error.what}); the checkpoint before it is used.")
        else:
            return path
    return None


class AtomicCheckpointIO(CheckpointIO):
    """How Lightning writes and reads its checkpoints here."""

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any | None = None) -> None:
        """Write under another name, flush to the disk, rename.

        Raises:
            CheckpointError: the disk is full or refuses; nothing of this checkpoint is left.
        """
        try:
            with write_atomically(Path(path)) as handle:
                torch.save(checkpoint, handle)
        except (OSError, RuntimeError) as error:
            reason = _refusal(error)
            if reason is None:
                raise
            raise CheckpointError(
                "the checkpoint cannot be written",
                where=path,
                given=reason.strerror or reason,
                mend="Make room, then go on with --resume from the one before it.",
            ) from None

    def load_checkpoint(
        self, path: Any, map_location: Any | None = None, weights_only: bool | None = None
    ) -> dict[str, Any]:
        """Read tensors and plain containers, whatever `weights_only` says."""
        return read_checkpoint(Path(path), map_location or "cpu")

    def remove_checkpoint(self, path: Any) -> None:
        """Delete a checkpoint."""
        Path(path).unlink(missing_ok=True)


def _refusal(error: BaseException | None) -> OSError | None:
    """What the system said; torch tells it in an error of its own, about the archive that was not finished."""
    while error is not None and not isinstance(error, OSError):
        error = error.__cause__ or error.__context__
    return error
