"""Which recordings of a corpus can be read, and how long they are; every header is read once, on threads."""

import os
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from sprachbund.data.corpora.field.records import MISSING, UNREADABLE
from sprachbund.data.corpora.progress import show_progress
from sprachbund.errors import AudioError
from sprachbund.signal.audio import AudioInfo, probe_audio

_THREADS = min(16, 4 * (os.cpu_count() or 1))  # they wait for the disk


class Inventory:
    """What is known of recordings.

    Args:
        name: of the corpus.
        progress: whether to show a bar while headers are read.
    """

    def __init__(self, name: str, progress: bool = False) -> None:
        self.infos: dict[Path, AudioInfo] = {}
        self.problems: dict[Path, str] = {}  # a kind of problem
        self._description = f"{name}: recordings"
        self._progress = progress

    def look(self, paths: Iterable[Path]) -> None:
        """Read the headers of `paths` that were not looked at before."""
        new = [path for path in dict.fromkeys(paths) if path not in self.infos and path not in self.problems]
        with ThreadPoolExecutor(_THREADS) as pool:
            found = zip(new, pool.map(_probe, new), strict=True)
            for path, info in show_progress(found, self._description, len(new), self._progress):
                if isinstance(info, str):
                    self.problems[path] = info
                else:
                    self.infos[path] = info


def _probe(path: Path) -> AudioInfo | str:
    if not path.is_file():
        return MISSING
    try:
        return probe_audio(path)
    except AudioError:
        return UNREADABLE
