"""Lines of text as transcripts are written: normalised, and nothing that is said in held-out speech."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sprachbund.data.storage.manifest import read_cuts
from sprachbund.data.text.blocks import Rejected, Transform
from sprachbund.data.text.fields import Field, TextField
from sprachbund.data.text.lines import DEFAULT_FIELD, Line
from sprachbund.data.text.writer import Fields
from sprachbund.tokens.normalize import fold_to_ascii, normalize_text, spell_numbers

NO_WORD, HELD_OUT = "without a word", "said in held-out speech"


@dataclass(frozen=True)
class NormalizedText:
    """The work of `transform_lines` that makes training text of English lines.

    A line is held out where it says what a transcript says, whatever their capitals, punctuation, numbers and accents.

    Args:
        held_out: manifests whose transcripts are kept out.
        fingerprint: of these transcripts.
    """

    held_out: tuple[Path, ...]
    fingerprint: str

    @classmethod
    def without(cls, held_out: Sequence[Path]) -> "NormalizedText":
        """The work that leaves out the transcripts of these manifests.

        Raises:
            DataError: a manifest cannot be read, or numbers in it cannot be spelled.
        """
        said = "\n".join(sorted(_sayings(held_out)))
        return cls(tuple(held_out), hashlib.sha256(said.encode()).hexdigest())

    def fields(self) -> Mapping[str, Field]:
        """The normalised text."""
        return {DEFAULT_FIELD: TextField()}

    def settings(self) -> Mapping[str, Any]:
        """See `Work.settings`."""
        return {"normalized": "en", "held_out": self.fingerprint}

    def start(self) -> Transform:
        """See `Work.start`: read the transcripts that are kept out."""
        held_out = _sayings(self.held_out)

        def answer(line: Line) -> Fields | Rejected:
            text = spoken_form(line.text)
            if not text:
                return Rejected(NO_WORD)
            return Rejected(HELD_OUT) if fold_to_ascii(text) in held_out else {DEFAULT_FIELD: text}

        return lambda lines: [answer(line) for line in lines]


def spoken_form(text: str) -> str:
    """A line as it is said and learned: numbers in words, then normalised; perhaps empty.

    Raises:
        DataError: there are numbers, and the package that spells them is missing.
    """
    return normalize_text(spell_numbers(text))


def _sayings(manifests: Sequence[Path]) -> frozenset[str]:
    """What is said in speech: each supervision and each whole cut, without accents."""
    texts = {
        text
        for manifest in manifests
        for cut in read_cuts(manifest)
        for said in [[one.text for one in cut.supervisions if one.text]]
        for text in (*said, " ".join(said))
    }
    return frozenset(fold_to_ascii(spoken_form(text)) for text in texts) - {""}
