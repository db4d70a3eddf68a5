"""What an encoder learns to tell of the frames it cannot hear: a choice of the recipes of encoder pre-training."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from sprachbund.config import Few, NotNegative, Size


@dataclass(frozen=True, kw_only=True)
class UnitTargetsConfig:
    """Units that the manifests bring (HuBERT)."""

    kind: Literal["units"]
    units: Path  # the unit model they were made by


@dataclass(frozen=True, kw_only=True)
class RandomProjectionConfig:
    """Units of a random projection, made as clips are read (BEST-RQ); the defaults are the published ones."""

    kind: Literal["random_projection"]
    codes: Size = 8192
    dim: Size = 16
    seed: Annotated[int, Field(ge=0, lt=1 << 32)] = 1  # of projection and codebook, whatever the seed of the run


@dataclass(frozen=True, kw_only=True)
class TeacherConfig:
    """The normalised states of a layer of a frozen encoder (data2vec, in a simple form)."""

    kind: Literal["teacher"]
    model: Path  # any model folder
    layer: Few


@dataclass(frozen=True, kw_only=True)
class ContrastiveConfig:
    """The model's own quantized features, to be told from distractors (wav2vec 2.0).

    Sizes and temperatures of the head are in `model.changes.contrastive`.
    """

    kind: Literal["contrastive"]
    distractors: Size = 100
    diversity_weight: NotNegative = 0.1


Targets = Annotated[
    UnitTargetsConfig | RandomProjectionConfig | TeacherConfig | ContrastiveConfig, Field(discriminator="kind")
]
