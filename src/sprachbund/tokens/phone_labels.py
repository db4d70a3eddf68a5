"""Phones as the units of speech: ids that an alignment gives to frames, in the place of those of clusters (SpeechLM-P).

A folder of phone labels is for trainers what one of a unit model is: a fingerprint, a number of units and a rate.
"""

import hashlib
import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import ClassVar

from sprachbund.errors import RecipeError, VocabularyError
from sprachbund.files import is_file, write_atomically
from sprachbund.tokens.phones import PLACES, SILENCE, SPOKEN_NOISE, phone_symbols, plain_phone
from sprachbund.tokens.units import UnitModel

DESCRIPTION_FILE = "phones.json"
RATES = (100, 50, 25)  # labels a second
NOISES = ("SPN", "NSN", "UNK", "<UNK>")


@dataclass(frozen=True)
class PhoneLabels:
    """Which phone an id stands for, and whose alignments the labels are made of.

    Args:
        has_places: phones are told apart by their place in the word.
        rate: labels a second.
        aligner: fingerprint of the aligner; empty for alignments of other tools, which have none.
    """

    has_places: bool = False
    rate: int = 50
    aligner: str = ""
    feature: ClassVar[str] = "phones"

    def __post_init__(self) -> None:
        if self.rate not in RATES:
            raise RecipeError(
                "phones are not labelled at this rate",
                given=self.rate,
                mend=f"Choose one of {', '.join(map(str, RATES))}.",
            )

    @property
    def symbols(self) -> tuple[str, ...]:
        """The phone of each id."""
        return phone_symbols(places=self.has_places)

    @property
    def num_units(self) -> int:
        """Number of symbols; ids run from 0 to this, exclusive."""
        return len(self.symbols)

    @property
    def label_rate(self) -> float:
        """Labels a second."""
        return float(self.rate)

    @property
    def frame_shift(self) -> float:
        """Seconds between two labels."""
        return 1 / self.rate

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 (hexadecimal) of the symbols, the rate and the aligner."""
        settings = json.dumps([self.feature, self.rate, self.symbols, self.aligner])
        return hashlib.sha256(settings.encode()).hexdigest()

    def id_of(self, symbol: str | None) -> int:
        """The id of a phone as aligners name it; where there is none, that of spoken noise.

        Raises:
            VocabularyError: it is no phone of English, or its place in the word is wanted and not told.
        """
        name = SPOKEN_NOISE if symbol is None or symbol.strip().upper() in NOISES else plain_phone(symbol)
        if self.has_places and symbol is not None and name not in (SILENCE, SPOKEN_NOISE):
            place = symbol.strip()[-2:].upper()
            name += place if place in PLACES else ""
        try:
            return self._ids[name]
        except KeyError:
            mend = "Align with --word-positions." if self.has_places and name + "_S" in self._ids else None
            raise VocabularyError(
                "a symbol of the alignment is none of these labels",
                given=symbol,
                mend=mend or "The labels are ARPAbet phones, as `sprachbund tokens align` writes them.",
            ) from None

    @cached_property
    def _ids(self) -> dict[str, int]:
        return {symbol: number for number, symbol in enumerate(self.symbols)}

    def save(self, folder: Path) -> None:
        """Write ``phones.json``."""
        description = {
            "rate": self.rate,
            "aligner": self.aligner,
            "symbols": self.symbols,
            "fingerprint": self.fingerprint,
        }
        with write_atomically(folder / DESCRIPTION_FILE, mode="w") as handle:
            json.dump(description, handle, indent=2)

    @classmethod
    def load(cls, folder: Path) -> "PhoneLabels":
        """Read what `save` wrote.

        Raises:
            VocabularyError: the file is missing, damaged, or of other symbols.
        """
        mend = "Give a folder written by `sprachbund tokens label-phones`, or make it anew."
        try:
            description = json.loads((folder / DESCRIPTION_FILE).read_text(encoding="utf-8"))
            symbols = tuple(description["symbols"])
            has_places = symbols == phone_symbols(places=True)
            labels = cls(has_places, int(description["rate"]), str(description["aligner"]))
            is_same = (labels.symbols, labels.fingerprint) == (symbols, str(description["fingerprint"]))
        except OSError as error:
            raise VocabularyError(
                "phone labels cannot be read", where=error.filename, given=error.strerror, mend=mend
            ) from error
        except (LookupError, RecipeError, RecursionError, TypeError, ValueError) as error:
            raise VocabularyError("phone labels are damaged", where=folder, given=repr(error), mend=mend) from error
        if not is_same:
            raise VocabularyError("phone labels are of other symbols", where=folder, mend=mend)
        return labels


UnitLabels = UnitModel | PhoneLabels
"""What the units of cuts may be of."""


def load_unit_labels(folder: Path) -> UnitLabels:
    """The unit model or the phone labels of a folder.

    Raises:
        VocabularyError: it holds neither, or is damaged.
    """
    return PhoneLabels.load(folder) if is_file(folder / DESCRIPTION_FILE) else UnitModel.load(folder)
