"""Lines of units for training: out of line stores, with or without their text, and out of labelled manifests.

Units become dictionary ids here: a unit's number after the four special symbols; symbols such as phones have theirs.
"""

import hashlib
import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from lhotse import CutSet

from sprachbund.data.batches.crops import NUM_SPECIALS
from sprachbund.data.corpora.package_cache import cache_folder
from sprachbund.data.progress import watched
from sprachbund.data.storage.mirror import locked
from sprachbund.data.storage.shar import read_speech, speech_fingerprint
from sprachbund.data.text.blocks import Rejected, Transform
from sprachbund.data.text.encoding import EMPTY, SMALL, Made, made_lines, tokenizer_fingerprint
from sprachbund.data.text.fields import Field, IdsField
from sprachbund.data.text.lines import Line
from sprachbund.data.text.memory import TOKENS, UNITS, MemoryLines
from sprachbund.data.text.store import LineStore, is_store
from sprachbund.data.text.writer import Fields, new_store
from sprachbund.data.units import load_units, num_labels
from sprachbund.errors import VocabularyError
from sprachbund.shapes import Array, Int
from sprachbund.tokens.reduction import reduced
from sprachbund.tokens.text import load_tokenizer

MAX_UNITS = 2800  # as published; longer pairs are left out
LONG, UNWRITABLE = "longer than {} units", "fewer units than tokens of text"


@dataclass(frozen=True, kw_only=True)
class UnitSource:
    """The field of a line store that units are taken from.

    Args:
        store: its folder.
        field: its name.
        fingerprint: of what the units must have been made by; None for anything.
        is_reduced: whether they must be without repetitions; None for either.
    """

    store: Path
    field: str = UNITS
    fingerprint: str | None = None
    is_reduced: bool | None = None

    def found(self) -> IdsField:
        """The field.

        Raises:
            DataError: there is no such store or field.
            VocabularyError: its units were made by something else, or are not of the asked kind.
        """
        field = LineStore(self.store).ids_field(self.field, self.fingerprint)
        if self.is_reduced is not None and field.is_reduced != self.is_reduced:
            raise _mixture(f"{self.store}, field {self.field}", field.is_reduced)
        return field

    def dictionary(self) -> IdsField:
        """The field of the dictionary ids that its units become."""
        field = self.found()
        size = field.size + self.shift
        return IdsField(size=size, fingerprint=field.fingerprint, is_reduced=field.is_reduced)

    @property
    def shift(self) -> int:
        """What is added to units; symbols have dictionary ids already."""
        return NUM_SPECIALS if self.found().vocabulary is None else 0

    def settings(self) -> dict[str, Any]:
        """See `Work.settings`."""
        return {"units": self.field, "store": LineStore(self.store).fingerprint}


@dataclass(frozen=True, kw_only=True)
class UnitEncoding:
    """Units of a store -> dictionary ids, without empty and over-long lines."""

    source: UnitSource
    max_units: int

    def fields(self) -> Mapping[str, Field]:
        """See `Work.fields`."""
        return {UNITS: self.source.dictionary()}

    def settings(self) -> Mapping[str, Any]:
        """See `Work.settings`."""
        return {**self.source.settings(), "max_units": self.max_units}

    def start(self) -> Transform:
        """See `Work.start`."""
        store, shift = LineStore(self.source.store), self.source.shift

        def encode(line: Line) -> Fields | Rejected:
            units = store.tokens(self.source.field, line.number) + shift
            return _fault(units, self.max_units) or {UNITS: units}

        return lambda lines: [encode(line) for line in lines]


@dataclass(frozen=True, kw_only=True)
class PairEncoding:
    """Units of a store with the text beside them -> dictionary ids and tokens."""

    source: UnitSource
    tokenizer: Path  # its folder
    max_units: int

    def fields(self) -> Mapping[str, Field]:
        """See `Work.fields`."""
        tokens = IdsField.of_symbols(load_tokenizer(self.tokenizer).vocabulary)
        return {UNITS: self.source.dictionary(), TOKENS: tokens}

    def settings(self) -> Mapping[str, Any]:
        """See `Work.settings`."""
        own = {"tokenizer": tokenizer_fingerprint(self.tokenizer), "max_units": self.max_units, "blanks": True}
        return {**self.source.settings(), **own}

    def start(self) -> Transform:
        """See `Work.start`."""
        store, shift, tokenizer = LineStore(self.source.store), self.source.shift, load_tokenizer(self.tokenizer)

        def encode(line: Line) -> Fields | Rejected:
            units, tokens = store.tokens(self.source.field, line.number) + shift, tokenizer.encode(line.text)
            if fault := _fault(units, self.max_units) or (None if tokens else Rejected(EMPTY)):
                return fault
            return {UNITS: units, TOKENS: tokens} if len(units) >= _needed(tokens) else Rejected(UNWRITABLE)

        return lambda lines: [encode(line) for line in lines]


def unit_lines(source: UnitSource, *, max_units: int = MAX_UNITS, jobs: int = 1) -> Made:
    """Units of a line store, as lines with a field ``units``.

    Raises:
        DataError: there is no such store or field, or it is damaged.
        VocabularyError: its units were made by something else, or are not of the asked kind.
    """
    source.found()
    return made_lines(f"{source.store}#{source.field}", UnitEncoding(source=source, max_units=max_units), jobs=jobs)


def paired_lines(
    source: UnitSource, tokenizer: Path, *, text: str = "text", max_units: int = MAX_UNITS, jobs: int = 1
) -> Made:
    """Units and text of a line store, as lines with the fields ``units`` and ``tokens``.

    Left out are pairs that are empty, longer than `max_units`, or have fewer units than CTC needs to write the tokens:
    one for each, and one between equal ones.

    Args:
        source: of the units.
        tokenizer: its folder.
        text: field of the text.
        max_units: of a pair.
        jobs: processes for a large store.

    Raises:
        DataError: there is no such store or field, or it is damaged.
        VocabularyError: its units were made by something else, or are not of the asked kind.
    """
    source.found()
    work = PairEncoding(source=source, tokenizer=tokenizer, max_units=max_units)
    return made_lines(f"{source.store}#{text}", work, jobs=jobs)


def spoken_lines(
    manifest: Path | str, fingerprint: str, num_units: int, *, max_units: int = MAX_UNITS, is_reduced: bool = False
) -> Made:
    """Units of a labelled manifest, as lines with a field ``units``; those of much speech go to the cache.

    Args:
        manifest: or Shar; its cuts have units.
        fingerprint: of the unit model that must have made them.
        num_units: of that model.
        max_units: of a line; longer ones are left out.
        is_reduced: take repetitions out.

    Raises:
        DataError: the manifest or an array is missing or damaged.
        VocabularyError: a cut has no units, or those of another unit model.
    """
    cuts = read_speech(manifest)
    lines = _SpokenLines(cuts, fingerprint, max_units, is_reduced)
    if _num_bytes(cuts) <= SMALL:
        return Made(MemoryLines(lines, [UNITS]), lines.left_out)
    settings = (speech_fingerprint(manifest), fingerprint, max_units, is_reduced)
    out = cache_folder().parent / "encoded" / hashlib.sha256(repr(settings).encode()).hexdigest()[:32]
    out.parent.mkdir(parents=True, exist_ok=True)
    with locked(out):
        if not is_store(out):
            field = IdsField(size=num_units + NUM_SPECIALS, fingerprint=fingerprint, is_reduced=is_reduced)
            # The counts are known when the lines are written, and the facts are written after them.
            facts: dict[str, Any] = {}
            with new_store(out, {UNITS: field}, facts) as writer:
                for line in lines:
                    writer.add(line)
                facts["left_out"] = lines.left_out
    store = LineStore(out)
    return Made(store, store.facts["left_out"])


class _SpokenLines:
    """The lines of labelled cuts; `left_out` is known when they have been walked through."""

    def __init__(self, cuts: CutSet, fingerprint: str, max_units: int, is_reduced: bool) -> None:
        self._cuts, self._fingerprint, self._max_units, self._is_reduced = cuts, fingerprint, max_units, is_reduced
        self.left_out: dict[str, int] = {}

    def __iter__(self) -> Iterator[dict[str, Int[Array, " label"]]]:
        for cut in watched(self._cuts, "Reading units"):
            labels = load_units(cut, self._fingerprint).astype(np.int64)
            units = (reduced(labels).units if self._is_reduced else labels) + NUM_SPECIALS
            if fault := _fault(units, self._max_units):
                self.left_out[fault.reason] = self.left_out.get(fault.reason, 0) + 1
            else:
                yield {UNITS: units}


def _num_bytes(cuts: CutSet) -> int:
    """Of the units of cuts as they are stored; those that have none are told when they are read."""
    return 2 * sum(num_labels(cut) for cut in cuts if UNITS in (cut.custom or {}))


def _needed(tokens: Sequence[int]) -> int:
    """Units that CTC needs for tokens; a blank parts equal ones."""
    return len(tokens) + sum(first == second for first, second in itertools.pairwise(tokens))


def _fault(units: Int[Array, " unit"], max_units: int) -> Rejected | None:
    if len(units) > max_units:
        return Rejected(LONG.format(max_units))
    return None if len(units) else Rejected(EMPTY)


def _mixture(where: str, is_reduced: bool) -> VocabularyError:
    kinds = ("units of every frame", "reduced units")
    return VocabularyError(
        f"these are {kinds[is_reduced]}, the training wants {kinds[not is_reduced]}",
        where=where,
        mend="Make the units again in the other form, or change what the training wants.",
    )
