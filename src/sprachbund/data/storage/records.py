"""What a line of a manifest may hold: the fields that are used here, their types and bounds.

Lhotse takes the values of its manifests as they come. Here they come from users, so they are looked at before. Fields
that are not named below are Lhotse's to refuse.
"""

import json
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from pydantic import Field, TypeAdapter, ValidationError

LONGEST = 1e8  # seconds: three years
# Silence and mixtures have no file that bounds them: what they say is what the memory must hold.
LONGEST_MADE = 3600.0  # seconds

Instant = Annotated[float, Field(ge=-LONGEST, le=LONGEST, allow_inf_nan=False)]
Seconds = Annotated[float, Field(ge=0, le=LONGEST, allow_inf_nan=False)]
Length = Annotated[float, Field(gt=0, le=LONGEST, allow_inf_nan=False)]
Made = Annotated[float, Field(ge=0, le=LONGEST_MADE, allow_inf_nan=False)]
Ratio = Annotated[float, Field(ge=-1000, le=1000, allow_inf_nan=False)]  # decibels
Rate = Annotated[int, Field(ge=1, le=10_000_000)]
Count = Annotated[int, Field(ge=0, le=1 << 53)]
Channel = Annotated[int, Field(ge=0, le=1 << 16)]
Name = Annotated[str, Field(min_length=1)]
AlignmentItem = tuple[str, Instant, Seconds] | tuple[str, Instant, Seconds, float | None] | dict[str, Any]


@dataclass
class _Source:
    type: str
    channels: list[Channel]
    source: str


@dataclass
class _Recording:
    id: str
    sources: list[_Source]
    sampling_rate: Rate
    num_samples: Count
    duration: Seconds
    channel_ids: list[Channel] | None = None
    transforms: list[dict[str, Any]] | None = None


@dataclass
class _Array:
    storage_type: Literal["numpy_files", "memory_raw", "memory_npy", "memory_lilcom", "lilcom_files", "shar"]
    storage_path: str
    storage_key: str
    shape: list[Count]


@dataclass
class _TemporalArray:
    array: _Array
    temporal_dim: Annotated[int, Field(ge=0)]
    frame_shift: Length
    start: Instant

    def __post_init__(self) -> None:
        if self.temporal_dim >= len(self.array.shape):
            raise ValueError("the array has no such dimension as its temporal_dim")


@dataclass
class _Supervision:
    id: str
    recording_id: str
    start: Instant
    duration: Seconds
    channel: Channel | list[Channel] = 0
    text: str | None = None
    language: str | None = None
    speaker: str | None = None
    gender: str | None = None
    custom: dict[str, Any] | None = None
    alignment: dict[str, list[AlignmentItem]] | None = None


@dataclass
class _DataCut:
    id: Name
    start: Seconds
    duration: Length
    supervisions: list[_Supervision] = field(default_factory=list)
    features: dict[str, Any] | None = None
    recording: _Recording | None = None
    custom: dict[str, Any] | None = None

    def __post_init__(self) -> None:
        # What Lhotse makes objects of, by the names of their keys.
        for value in (self.custom or {}).values():
            if isinstance(value, dict):
                for key, kind in (("array", _TEMPORAL_ARRAY), ("shape", _ARRAY), ("sources", _RECORDING)):
                    if key in value:
                        _check(kind, value)


@dataclass(kw_only=True)
class _MonoCut(_DataCut):
    type: Literal["MonoCut"]
    channel: Channel


@dataclass(kw_only=True)
class _MultiCut(_DataCut):
    type: Literal["MultiCut"]
    channel: Channel | list[Channel]


@dataclass
class _PaddingCut:
    type: Literal["PaddingCut"]
    id: Name
    duration: Made
    sampling_rate: Rate
    feat_value: float
    num_samples: Count | None = None
    num_frames: Count | None = None
    num_features: Count | None = None
    frame_shift: Length | None = None
    custom: dict[str, Any] | None = None


@dataclass
class _Track:
    type: Literal["MonoCut", "MultiCut", "PaddingCut"]
    cut: dict[str, Any]
    offset: Made = 0.0
    snr: Ratio | None = None

    def __post_init__(self) -> None:
        _check(_SINGLE, {**self.cut, "type": self.type})


@dataclass
class _MixedCut:
    type: Literal["MixedCut"]
    id: Name
    tracks: Annotated[list[_Track], Field(min_length=1)]
    transforms: list[dict[str, Any]] | None = None


def _check(kind: Any, value: dict[str, Any]) -> None:
    # As JSON, because what is strict about Python takes no mapping for a dataclass.
    kind.validate_json(json.dumps(value), strict=True)


_ARRAY, _TEMPORAL_ARRAY, _RECORDING = TypeAdapter(_Array), TypeAdapter(_TemporalArray), TypeAdapter(_Recording)
_SINGLE = TypeAdapter[Any](Annotated[_MonoCut | _MultiCut | _PaddingCut, Field(discriminator="type")])
_CUT = TypeAdapter[Any](Annotated[_MonoCut | _MultiCut | _PaddingCut | _MixedCut, Field(discriminator="type")])


def problem_of(line: str) -> str | None:
    """What is wrong with the JSON of a cut, or None."""
    try:
        _CUT.validate_json(line, strict=True)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        # The first part of the place is the type of the cut.
        place = ".".join(str(part) for part in first["loc"][1:])
        problem = first["msg"].removeprefix("Value error, ")
        return f"{place}: {problem}" if place else problem
    return None
