"""Work on lines for tests; in a file of its own, so that other processes find it."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sprachbund.data.text.blocks import Rejected, Transform
from sprachbund.data.text.fields import Field, IdsField, TextField
from sprachbund.data.text.lines import Line
from sprachbund.data.text.writer import Fields, new_store
from sprachbund.tokens.vocabulary import Vocabulary

CODES = 0x110000
MODEL = "the unit model of tests"


@dataclass(frozen=True)
class Spelling:
    """Code points and the text in capitals; lines that are longer than `limit` are rejected."""

    limit: int = 5
    log: Path | None = None  # gets a letter for each block
    pause: float = 0.0  # seconds a block

    def fields(self) -> Mapping[str, Field]:
        return {"codes": IdsField(size=CODES, fingerprint="code points"), "text": TextField()}

    def settings(self) -> Mapping[str, Any]:
        return {"limit": self.limit}

    def start(self) -> Transform:
        return self._spell

    def _spell(self, lines: Sequence[Line]) -> list[Fields | Rejected]:
        time.sleep(self.pause)
        if self.log is not None:
            with self.log.open("a") as handle:
                handle.write("b")
        return [
            Rejected("long", f"{len(line.text)} letters")
            if len(line.text) > self.limit
            else {"codes": [ord(letter) for letter in line.text], "text": line.text.upper()}
            for line in lines
        ]


def write_units(
    folder: Path,
    lines: Sequence[tuple[Sequence[int], str]],
    *,
    size: int = 6,
    fingerprint: str = MODEL,
    is_reduced: bool = False,
    vocabulary: Vocabulary | None = None,
) -> Path:
    """A store of units with texts."""
    units = IdsField(size=size, fingerprint=fingerprint, is_reduced=is_reduced, vocabulary=vocabulary)
    with new_store(folder, {"units": units, "text": TextField()}) as store:
        for ids, text in lines:
            store.add({"units": ids, "text": text})
    return folder
