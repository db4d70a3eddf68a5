"""How long phones last, so that text can be drawn out to the length of speech (SpeechLM, section III-B)."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from sprachbund.errors import DataError
from sprachbund.files import write_atomically
from sprachbund.tokens.phones import SILENCE, SPOKEN_NOISE

MOST_LABELS = 4375  # a line stays below: the limit of the published data
_TENTHS = 10  # steps in which the means of a line that is too long are lowered


@dataclass(frozen=True)
class Duration:
    """A normal distribution of labels."""

    mean: float
    std: float


@dataclass(frozen=True, kw_only=True)
class PhoneDurations:
    """The duration of each phone in labels; those of the published data where nothing else is given."""

    frame_shift: float = 0.01  # seconds between two labels
    default: Duration = Duration(5.0, 2.5)  # of phones that are not named
    named: tuple[tuple[str, Duration], ...] = ((SILENCE, Duration(14.0, 2.5)), (SPOKEN_NOISE, Duration(32.0, 2.5)))

    def repeated(self, phones: Sequence[str], generator: np.random.Generator) -> list[str] | None:
        """Every phone as often as it lasts, at least once: ``max(1, round(N(mean, std)))`` times.

        All means of a line of `MOST_LABELS` labels or more are lowered, by a tenth and another until it is shorter.

        Args:
            phones: of a line, with or without word places, which change nothing.
            generator: draws a number a phone.

        Returns:
            The labels; None where even phones of mean 0 would be too many.
        """
        draws = generator.standard_normal(len(phones))
        named = dict(self.named)
        durations = [named.get(phone.partition("_")[0], self.default) for phone in phones]
        means = np.array([each.mean for each in durations])
        deviations = draws * np.array([each.std for each in durations])
        for tenths in range(_TENTHS, -1, -1):
            counts = np.maximum(1, np.rint(means * tenths / _TENTHS + deviations)).astype(np.int64)
            if counts.sum() < MOST_LABELS:
                return [phone for phone, count in zip(phones, counts.tolist(), strict=True) for _ in range(count)]
        return None

    def to_mapping(self) -> dict[str, Any]:
        """Plain values, as they stand in a file."""
        return {
            "frame_shift": self.frame_shift,
            "default": [self.default.mean, self.default.std],
            "phones": {phone: [each.mean, each.std] for phone, each in self.named},
        }

    def save(self, path: Path) -> None:
        """Write the durations as JSON."""
        with write_atomically(path, mode="w") as handle:
            handle.write(json.dumps(self.to_mapping(), indent=1) + "\n")

    @classmethod
    def load(cls, path: Path) -> "PhoneDurations":
        """Read what `save` wrote.

        Raises:
            DataError: the file is missing, or holds something else.
        """
        try:
            plain = json.loads(path.read_bytes().decode("utf-8"))
            named = {str(phone): _duration(pair) for phone, pair in plain["phones"].items()}
            frame_shift = _number(plain["frame_shift"])
            default = _duration(plain["default"])
        except (AttributeError, KeyError, OSError, RecursionError, TypeError, ValueError) as error:
            raise _unusable(path, repr(error)) from None
        if frame_shift <= 0:
            raise _unusable(path, f"frame_shift {frame_shift}")
        return cls(frame_shift=frame_shift, default=default, named=tuple(sorted(named.items())))

    @classmethod
    def measured(cls, seconds: Mapping[str, Sequence[float]], frame_shift: float) -> "PhoneDurations":
        """The durations of what was spoken; of what was heard less than twice, those of all phones together.

        Silence and spoken noise keep the published durations where they were not heard.

        Args:
            seconds: phone -> how long each time.
            frame_shift: seconds between two labels.

        Raises:
            DataError: fewer than two phones beside silence and spoken noise.
        """
        silent = (SILENCE, SPOKEN_NOISE)
        pooled = [length for phone, lengths in seconds.items() if phone not in silent for length in lengths]
        if len(pooled) < 2:
            raise DataError(
                "too few phones to measure durations on",
                given=len(pooled),
                mend="Give a manifest that `sprachbund tokens align` wrote.",
            )
        published = cls()
        scale = published.frame_shift / frame_shift
        named = {phone: Duration(each.mean * scale, each.std * scale) for phone, each in published.named}
        named |= {phone: _fitted(found, frame_shift) for phone, found in seconds.items() if len(found) > 1}
        return cls(frame_shift=frame_shift, default=_fitted(pooled, frame_shift), named=tuple(sorted(named.items())))


def _fitted(seconds: Sequence[float], frame_shift: float) -> Duration:
    labels = np.asarray(seconds) / frame_shift
    return Duration(round(float(labels.mean()), 4), round(float(labels.std()), 4))


def _duration(pair: Any) -> Duration:
    mean, std = map(_number, pair)
    if mean <= 0 or std < 0:
        raise ValueError(f"mean {mean}, std {std}")
    return Duration(mean, std)


def _number(value: Any) -> float:
    if not isinstance(value, int | float) or isinstance(value, bool) or not math.isfinite(value):
        raise ValueError(f"{value!r} is no number")
    return float(value)


def _unusable(path: Path, given: str) -> DataError:
    return DataError(
        "a file of phone durations cannot be used",
        where=path,
        given=given,
        mend="Write it with `sprachbund tokens durations ALIGNED --out FILE`.",
    )
