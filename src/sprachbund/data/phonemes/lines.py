"""Lines of text as phones in a line store: with silence between words, and drawn out to the length of speech."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from sprachbund.data.phonemes.reading import PHONES_FIELD, TEXT_FIELD, Read, Reading
from sprachbund.data.text.blocks import Rejected, Transform
from sprachbund.data.text.fields import Field, TextField
from sprachbund.data.text.lines import Line
from sprachbund.data.text.writer import Fields
from sprachbund.tokens.lexicon import Phones
from sprachbund.tokens.phone_durations import MOST_LABELS, PhoneDurations
from sprachbund.tokens.phones import SILENCE

TOO_LONG = "too long"


@dataclass(frozen=True, kw_only=True)
class Drawing:
    """What is drawn by lot for a line; it depends on seed and number of the line alone."""

    silence: float = 0.25  # probability of silence between two words; at both ends it is certain (SpeechLM)
    durations: PhoneDurations | None = None  # how often phones are repeated; None for once
    longest: int | None = None  # labels that a line has at most; longer ones are left out
    seed: int = 0

    def labels(self, words: Sequence[Phones], number: int) -> list[str] | Rejected:
        """The phones of a line, silence among them.

        Args:
            words: the phones of each word.
            number: of the line.
        """
        generator = np.random.default_rng((self.seed, number))
        has_pause = generator.random(len(words)) < self.silence
        has_pause[-1:] = True
        phones = [SILENCE]
        for word, pause in zip(words, has_pause.tolist(), strict=True):
            phones += [*word, SILENCE] if pause else word
        # Silences are drawn first, so that they are where they are without repetition.
        labels = self.durations.repeated(phones, generator) if self.durations else phones
        if labels is None:
            return Rejected(TOO_LONG, f"{len(phones)} phones, which cannot be drawn out to fewer than {MOST_LABELS}")
        if self.longest is not None and len(labels) > self.longest:
            return Rejected(TOO_LONG, f"{len(labels)} labels, at most {self.longest} are wanted")
        return labels

    def settings(self) -> Mapping[str, Any]:
        """All that decides what is drawn, in plain values."""
        durations = None if self.durations is None else self.durations.to_mapping()
        return {"silence": self.silence, "durations": durations, "longest": self.longest, "seed": self.seed}


@dataclass(frozen=True)
class Phonemization:
    """The work of `transform_lines` that makes phones of text."""

    reading: Reading
    drawing: Drawing

    def fields(self) -> Mapping[str, Field]:
        """Phones, and the text as it was given."""
        return {PHONES_FIELD: self.reading.field(), TEXT_FIELD: TextField()}

    def settings(self) -> Mapping[str, Any]:
        """See `Work.settings`."""
        return {**self.reading.settings(), **self.drawing.settings()}

    def start(self) -> Transform:
        """See `Work.start`."""
        return partial(_transform, self, self.reading.start())


def _transform(work: Phonemization, read: Read, lines: Sequence[Line]) -> list[Fields | Rejected]:
    found = read([line.text for line in lines])
    return [_answer(work, line, words) for line, words in zip(lines, found, strict=True)]


def _answer(work: Phonemization, line: Line, words: list[Phones] | Rejected) -> Fields | Rejected:
    labels = words if isinstance(words, Rejected) else work.drawing.labels(words, line.number)
    if isinstance(labels, Rejected):
        return labels
    return {PHONES_FIELD: work.reading.value(labels), TEXT_FIELD: line.text}
