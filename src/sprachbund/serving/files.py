"""Which files a user means."""

from collections.abc import Sequence
from pathlib import Path

from sprachbund.errors import AudioError

# Inside folders these are recordings; a file that is named itself is read whatever its name.
SUFFIXES = {".wav", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".m4a", ".mp4", ".webm", ".aac", ".g722", ".aiff", ".au"}


def list_recordings(paths: Sequence[Path]) -> list[Path]:
    """The files among `paths`, and the recordings in the folders among them, sorted within each folder.

    Raises:
        AudioError: a path does not exist, or a folder holds no recording.
    """
    found: list[Path] = []
    for path in paths:
        if path.is_dir():
            inside = sorted(entry for entry in path.rglob("*") if entry.suffix.lower() in SUFFIXES and entry.is_file())
            if not inside:
                raise AudioError("this folder holds no recording", where=path, mend="Name the files themselves.")
            found += inside
        elif path.exists():
            found.append(path)
        else:
            raise AudioError("no such file", where=path, mend="Check the name.")
    return found
