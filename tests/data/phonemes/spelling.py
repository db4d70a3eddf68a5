"""A lexicon of a few words in a file, and a guess that tests can foretell."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sprachbund.data.phonemes.reading import LexiconReading
from sprachbund.tokens.lexicon import Phones

LEXICON = """\
the DH AH0
a AH0
a(2) EY1
cat K AE1 T
sat S AE1 T
two T UW1
i AY1
"""


@dataclass(frozen=True)
class Guess:
    """Says one phone a word; nothing to words with a q."""

    phone: str = "OY"

    @property
    def fingerprint(self) -> str:
        return f"says {self.phone}"

    def __call__(self, words: Sequence[str]) -> list[Phones]:
        return [() if "q" in word else (self.phone,) for word in words]


def reading(folder: Path, **changes: bool) -> LexiconReading:
    path = folder / "lexicon"
    path.write_text(LEXICON)
    return LexiconReading(lexicon=str(path), guess=Guess(), **changes)
