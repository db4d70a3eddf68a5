"""Units of phones: text that was turned into phones becomes what an encoder of speech would have heard."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from sprachbund.checkpoints.store import StoredModel, load_model, weights_fingerprint
from sprachbund.data.text.blocks import SETTINGS, Rejected, Transform
from sprachbund.data.text.fields import Field, IdsField, TextField
from sprachbund.data.text.lines import Line
from sprachbund.data.text.store import LineStore, is_store
from sprachbund.data.text.writer import Fields
from sprachbund.decoding.sequence import generate
from sprachbund.errors import CheckpointError, DataError
from sprachbund.models.sequence.model import SequenceModel
from sprachbund.models.table import TextModel, build_text_model
from sprachbund.models.text_to_unit.model import TextToUnit
from sprachbund.shapes import Array, Int, Tensor
from sprachbund.tokens.reduction import reduced
from sprachbund.tokens.text import TextTokenizer
from sprachbund.tokens.vocabulary import PAD, SPECIAL_SYMBOLS, UNK

PHONES, UNITS, TEXT = "phones", "units", "text"  # fields of line stores
MOST_PHONES = 4000  # of a line; attention over more takes more memory than a line is worth
_BATCH_PHONES = 4000  # padding included
_UNITS_A_PHONE, _SPARE_UNITS = 20, 50  # the generator writes no more
_NUM_SPECIALS = len(SPECIAL_SYMBOLS)
# What a model must say of its paired speech.
_FACTS = {"num_units": int, "unit_model": str, "unit_rate": float, "keep_every": int, "word_positions": bool}


@dataclass(frozen=True)
class UnitsOfPhones:
    """The units that the model in a folder makes of lines of phones; see `data.text.blocks.Work`.

    Lines are batched within their block, on one thread, so that nothing but model and line store decides the units.
    """

    folder: Path
    weights: str  # their fingerprint
    num_units: int
    fingerprint: str  # of the units: that of the unit model which the paired speech was labelled with
    is_reduced: bool

    @classmethod
    def load(cls, folder: Path, *, is_reducing: bool = False) -> "UnitsOfPhones":
        """The model of a folder.

        Args:
            folder: of the model.
            is_reducing: take repetitions out of what it writes; what a generator writes is reduced in any case.

        Raises:
            CheckpointError: it holds no sound model from phones to units.
        """
        stored, model = load_unit_writer(folder)
        return cls(
            folder,
            weights_fingerprint(stored.weights),
            int(stored.facts["num_units"]),
            unit_fingerprint(stored.facts),
            is_reducing or isinstance(model, SequenceModel),
        )

    def fields(self) -> Mapping[str, Field]:
        """Units, counted from 0, and the text that the source brings beside its phones."""
        units = IdsField(size=self.num_units, fingerprint=self.fingerprint, is_reduced=self.is_reduced)
        return {UNITS: units, TEXT: TextField()}

    def settings(self) -> Mapping[str, Any]:
        """What decides the units."""
        return {"weights": self.weights, "unit_model": self.fingerprint, "reduced": self.is_reduced}

    def start(self) -> Transform:
        """Load the model."""
        stored, model = load_unit_writer(self.folder)
        assert stored.tokenizer is not None, "checked when the model was read"
        return _Writer(model, stored.tokenizer, self.is_reduced)


def load_unit_writer(folder: Path) -> tuple[StoredModel, TextModel]:
    """The model from phones to units of a folder.

    Raises:
        CheckpointError: there is none, or it does not say what units it has learned.
    """
    stored = load_model(folder)
    model = build_text_model(stored, str(folder))
    targets = model.config.num_units if isinstance(model, TextToUnit) else model.config.num_targets
    is_paired = all(isinstance(stored.facts.get(name), kind) for name, kind in _FACTS.items())
    if stored.tokenizer is None or not is_paired or stored.facts["num_units"] + _NUM_SPECIALS != targets:
        raise CheckpointError(
            "this model does not say what units it makes of phones",
            where=folder,
            given=f"{stored.kind}, {stored.facts.get('stage', 'unknown stage')}",
            mend="Name a model folder of `sprachbund tokens train-t2u`.",
        )
    return stored, model


def unit_fingerprint(facts: Mapping[str, Any]) -> str:
    """What units of a model are stored under: the unit model, and which of its units were kept (/2: every second)."""
    kept = facts["keep_every"]
    return str(facts["unit_model"]) if kept == 1 else f"{facts['unit_model']}/{kept}"


def phones_of(source: str, tokenizer: TextTokenizer) -> str:
    """The name of the lines of phones in a source: the field of a line store, else the source itself.

    Raises:
        DataError: a line store without phones.
        VocabularyError: its phones are of another vocabulary than the model's.
    """
    if not is_store(source):
        return source
    store = LineStore(source)
    store.ids_field(PHONES, tokenizer.vocabulary.fingerprint())
    settings = store.facts.get(SETTINGS)
    work = settings.get("work") if isinstance(settings, dict) else None
    if isinstance(work, dict) and work.get("durations") is not None:
        raise DataError(
            "the phones of this store are repeated, as if they were frames",
            where=source,
            mend="Make it without --repeat: the model knows how long phones are.",
        )
    return f"{source}#{PHONES}"


class _Writer:
    """Lines of phones -> units of each, or why there are none."""

    def __init__(self, model: TextModel, tokenizer: TextTokenizer, is_reduced: bool) -> None:
        self.model, self.tokenizer, self.is_reduced = model, tokenizer, is_reduced

    def __call__(self, lines: Sequence[Line]) -> list[Fields | Rejected]:
        phones = [self.tokenizer.encode(line.text) for line in lines]
        answers = [self._refusal(line, ids) for line, ids in zip(lines, phones, strict=True)]
        threads = torch.get_num_threads()
        torch.set_num_threads(1)
        try:
            for places in _batches(phones, [place for place, answer in enumerate(answers) if answer is None]):
                made = units_of(self.model, [phones[place] for place in places])
                for place, units in zip(places, made, strict=True):
                    answers[place] = self._answer(lines[place], units)
        finally:
            torch.set_num_threads(threads)
        return [answer for answer in answers if answer is not None]

    def _answer(self, line: Line, units: Int[Array, " unit"] | None) -> Fields | Rejected:
        if units is None:
            return Rejected("the generator finds no end")
        if not len(units):
            return Rejected("no unit")
        return {UNITS: reduced(units).units if self.is_reduced else units, TEXT: line.beside.get(TEXT, line.text)}

    def _refusal(self, line: Line, ids: list[int]) -> Fields | Rejected | None:
        if not ids:
            return Rejected("no phone")
        if len(ids) > MOST_PHONES:
            return Rejected(f"more than {MOST_PHONES} phones", str(len(ids)))
        if UNK in ids:
            symbols = line.text.split()
            return Rejected("a phone that the model does not know", symbols[ids.index(UNK)])
        return None


def units_of(model: TextModel, phones: Sequence[list[int]]) -> Sequence[Int[Array, " unit"] | None]:
    """Units of rows of phones, counted from 0; None where the generator finds no end."""
    lengths = torch.tensor([len(ids) for ids in phones])
    tokens = torch.full((len(phones), int(lengths.max())), PAD)
    for row, ids in enumerate(phones):
        tokens[row, : len(ids)] = torch.tensor(ids)
    if isinstance(model, SequenceModel):
        written = generate(model, tokens, lengths, [_SPARE_UNITS + _UNITS_A_PHONE * len(ids) for ids in phones])
        return [np.array(row.tokens, dtype=np.int64) - _NUM_SPECIALS if row.is_complete else None for row in written]
    return lengthened_units(model, tokens, lengths)


@torch.no_grad()
def lengthened_units(
    model: TextToUnit,
    tokens: Int[Tensor, "batch token"],
    token_lengths: Int[Tensor, " batch"],
    durations: Int[Tensor, "batch token"] | None = None,
) -> list[Int[Array, " unit"]]:
    """Units of phones, counted from 0, with the durations given or with those that the model predicts."""
    predicted = model.predict_units(tokens, token_lengths, durations)
    units = predicted.units.numpy().astype(np.int64) - _NUM_SPECIALS
    return [row[:length] for row, length in zip(units, predicted.lengths.tolist(), strict=True)]


def _batches(phones: Sequence[list[int]], places: Sequence[int]) -> Iterator[list[int]]:
    """Places of rows of like length, so that little is padded."""
    batch: list[int] = []
    for place in sorted(places, key=lambda place: len(phones[place])):
        if batch and len(phones[place]) * (len(batch) + 1) > _BATCH_PHONES:
            yield batch
            batch = []
        batch.append(place)
    if batch:
        yield batch
