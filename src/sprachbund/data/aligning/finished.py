"""Findings kept while an alignment is on its way, so that a run which was ended goes on where it was."""

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from lhotse.cut import Cut

from sprachbund.data.aligning.results import Finding

Findings = tuple[Finding, ...]


class FinishedCuts:
    """Files of finished cuts, a line each; every run of one aligner reads all of them and writes to one.

    Args:
        folder: of all aligners; each has a folder of its own inside.
        fingerprint: of the aligner.
    """

    def __init__(self, folder: Path, fingerprint: str) -> None:
        self._folder = folder / fingerprint[:16]

    def read(self) -> dict[str, Findings]:
        """What is finished, by `key_of` of the cut; lines that a killed run left unfinished do not count."""
        found: dict[str, Findings] = {}
        for path in sorted(self._folder.glob("*.jsonl")):
            for line in path.read_bytes().split(b"\n"):
                try:
                    plain = json.loads(line)
                    found[str(plain["key"])] = tuple(map(Finding.from_mapping, plain["findings"]))
                except (AssertionError, AttributeError, KeyError, TypeError, ValueError, RecursionError):
                    continue
        return found

    def writer(self, name: str) -> "FindingWriter":
        """What adds to the file of this name."""
        self._folder.mkdir(parents=True, exist_ok=True)
        path = self._folder / f"{name}.jsonl"
        handle = path.open("ab")
        # The last line of a killed run may lack its end.
        if handle.tell() and not path.read_bytes().endswith(b"\n"):
            handle.write(b"\n")
        return FindingWriter(handle)


class FindingWriter:
    """Adds findings to a file, each with one write, so that a killed run leaves whole lines before the last."""

    def __init__(self, handle: IO[bytes]) -> None:
        self._handle = handle

    def add(self, cut: Cut, findings: Findings) -> None:
        """Keep what was found out about `cut`."""
        plain = {"key": key_of(cut), "findings": [finding.to_mapping() for finding in findings]}
        self._handle.write(json.dumps(plain, ensure_ascii=False).encode() + b"\n")
        self._handle.flush()

    def close(self) -> None:
        """Close the file."""
        self._handle.close()


def key_of(cut: Cut) -> str:
    """What tells a cut and its transcripts from all others."""
    return hashlib.blake2b(json.dumps(list(_facts(cut))).encode(), digest_size=16).hexdigest()


def _facts(cut: Cut) -> Iterator[object]:
    yield from (cut.id, cut.start, cut.duration)
    for said in cut.supervisions:
        yield [said.id, said.start, said.duration, said.text, said.language]
