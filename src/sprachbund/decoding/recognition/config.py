"""How transcripts are searched for: the methods, what each of them takes, and what is usual where nothing is said.

An option that a method has no use for is refused, so that nobody tunes what changes nothing.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, Literal, get_args

from sprachbund.config import require_choice
from sprachbund.errors import RecipeError
from sprachbund.nn.precision import Precision

Method = Literal["ctc", "ctc-beam", "attention", "joint"]
TimesBy = Literal["ctc", "attention"]


@dataclass(frozen=True, kw_only=True)
class FusedModel:
    """A language model whose log-probabilities are added to those of the recogniser.

    Raises:
        RecipeError: the weight is not a number of at least 0.
    """

    path: str  # a folder, or an n-gram model as an ARPA file
    weight: float = 0.3

    def __post_init__(self) -> None:
        if not (math.isfinite(self.weight) and self.weight >= 0):
            raise RecipeError("the weight of a language model is no weight", given=self.weight, mend="Give at least 0.")


@dataclass(frozen=True, kw_only=True)
class SearchSettings:
    """What a beam search is told; every value is there."""

    beam: int  # hypotheses kept of an utterance
    ctc_weight: float  # share of CTC; the text decoder has the rest
    length_bonus: float  # added for each token
    length_penalty: float  # a finished hypothesis scores its sum / (tokens + 1) ** length_penalty
    tokens_per_second: float  # longest transcript


# What the methods use where nothing is said. 25 tokens a second are more than anyone spells.
USUAL: Mapping[Method, SearchSettings] = {
    "ctc": SearchSettings(beam=1, ctc_weight=1.0, length_bonus=0.0, length_penalty=0.0, tokens_per_second=25.0),
    "ctc-beam": SearchSettings(beam=16, ctc_weight=1.0, length_bonus=0.0, length_penalty=0.0, tokens_per_second=25.0),
    "attention": SearchSettings(beam=5, ctc_weight=0.0, length_bonus=0.0, length_penalty=1.0, tokens_per_second=25.0),
    "joint": SearchSettings(beam=10, ctc_weight=0.3, length_bonus=0.0, length_penalty=0.0, tokens_per_second=25.0),
}
_BEAM = ("beam", "num_best", "language_models", "length_bonus", "lexicon")
_WRITTEN = ("length_penalty", "tokens_per_second")
# The options of each method beside those that all have.
USES: Mapping[Method, tuple[str, ...]] = {
    "ctc": (),
    "ctc-beam": _BEAM,
    "attention": (*_BEAM, *_WRITTEN),
    "joint": (*_BEAM, *_WRITTEN, "ctc_weight"),
}
COMMON = ("method", "timestamps", "times_by", "batch_seconds", "precision")


def require_method(name: str) -> Method:
    """The method of this name.

    Raises:
        RecipeError: there is none.
    """
    chosen: Method = require_choice(get_args(Method), name, "decoder")
    return chosen


@dataclass(frozen=True, kw_only=True)
class DecodingConfig:
    """How transcripts are searched for; what is None is usual for the method.

    Raises:
        RecipeError: there is no such method, it does not use an option, or a value makes no sense.
    """

    method: Method = "ctc"
    beam: int | None = None
    num_best: int | None = None  # transcripts told of each recording
    ctc_weight: float | None = None
    language_models: tuple[FusedModel, ...] = ()
    length_bonus: float | None = None
    length_penalty: float | None = None
    lexicon: str | None = None  # a file of words, one a line; no other word is said
    tokens_per_second: float | None = None
    timestamps: bool = False  # whether words are placed in time
    times_by: TimesBy = "ctc"  # what places them: CTC, or where the text decoder looks
    batch_seconds: float = 120.0  # recordings decoded side by side, padding included
    precision: Precision = "float32"  # of encoder and text decoder, which take most of the time

    def __post_init__(self) -> None:
        require_method(self.method)
        for field in fields(self):
            is_given = getattr(self, field.name) not in (None, ())
            if is_given and field.name not in (*COMMON, *USES[self.method]):
                raise self._unused(field.name)
        for name in ("beam", "num_best"):
            self._require(name, "Give at least 1.", lambda value: value >= 1)
        self._require("ctc_weight", "Give 0 to 1.", lambda value: 0 <= value <= 1)
        self._require("tokens_per_second", "Give more than 0.", lambda value: 0 < value < math.inf)
        self._require("batch_seconds", "Give more than 0.", lambda value: value > 0)
        for name in ("length_bonus", "length_penalty"):
            self._require(name, "Give a finite number.", math.isfinite)
        for name, kind in (("precision", Precision), ("times_by", TimesBy)):
            require_choice(get_args(kind), getattr(self, name), name)

    def search(self) -> SearchSettings:
        """What the search is told: the options given, and the usual ones of the method."""
        usual = USUAL[self.method]
        told = {field.name: getattr(self, field.name) for field in fields(usual)}
        return replace(usual, **{name: value for name, value in told.items() if value is not None})

    def _unused(self, name: str) -> RecipeError:
        used = [option for option in USES[self.method] if option != "num_best"]
        mend = f"Its options are {', '.join(used)}." if used else "It has no options: it takes the best path."
        others = [method for method in get_args(Method) if name in USES[method]]
        return RecipeError(
            f"decoder {self.method} has no use for {name}",
            given=str(getattr(self, name)),
            mend=f"{mend} {name} is an option of {', '.join(others)}.",
        )

    def _require(self, name: str, mend: str, is_sound: Callable[[Any], bool]) -> None:
        value = getattr(self, name)
        if value is not None and not is_sound(value):
            raise RecipeError(f"{name} makes no sense", given=value, mend=mend)
