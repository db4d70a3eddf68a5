"""Typed batches: what collation makes and objectives take. Plain tensors and lengths; nothing here reads a file.

A micro-batch of one stream is one of these; `Micro` holds one micro-batch of every stream, and a `Step` all that one
optimizer step consumes, with the place in each stream after it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, TypeVar

import torch

from sprachbund.shapes import Bool, Float, Int, Tensor

BatchType = TypeVar("BatchType", bound="Batch")


@dataclass(frozen=True)
class Batch:
    """One micro-batch of one stream; `ids` name the cuts or lines it was made from."""

    ids: tuple[str, ...]

    def to(self: BatchType, device: torch.device | str) -> BatchType:
        """The same batch with every tensor on `device`."""
        moved: dict[str, Any] = {
            field.name: value.to(device)
            for field in fields(self)
            if isinstance(value := getattr(self, field.name), torch.Tensor)
        }
        return replace(self, **moved)


@dataclass(frozen=True, kw_only=True)
class MaskedBatch(Batch):
    """Speech with masks; what is to be told of the masked frames is in the batches made from this one."""

    waveforms: Float[Tensor, "batch sample"]  # 16 kHz, zero padded
    waveform_lengths: Int[Tensor, " batch"]
    time_mask: Bool[Tensor, "batch frame"]  # True where the encoder sees the mask embedding; valid frames only
    channel_mask: Bool[Tensor, "batch dim"] | None = None  # True where a channel is hidden throughout a row


@dataclass(frozen=True, kw_only=True)
class UnitBatch(MaskedBatch):
    """Speech with frame units and masks, for masked prediction."""

    units: Int[Tensor, "batch label"]  # dictionary ids (unit + 4) at the rate of the units, padded with 1


@dataclass(frozen=True, kw_only=True)
class MixedUnitBatch(UnitBatch):
    """Speech with units that some of its states give way to."""

    mix_mask: Bool[Tensor, "batch frame"] | None  # True where a state may become its unit's vector; valid frames only
    label_offset: int = 0  # added to the place of the label that a frame takes, where there are several a frame
    top_units: Int[Tensor, "batch label"] | None = None  # other labels that the states at the top are to tell


@dataclass(frozen=True, kw_only=True)
class ContrastiveBatch(MaskedBatch):
    """Speech with masks, and for each masked frame others of the same utterance to be told from it."""

    distractors: Int[Tensor, "batch frame distractor"]  # frames of the same row; 0 at frames that are not masked
    seed: int  # of the quantizer's noise


@dataclass(frozen=True, kw_only=True)
class TeacherBatch(MaskedBatch):
    """Speech with masks, and the sound as its teacher hears it: whole and undistorted."""

    clean: Float[Tensor, "batch sample"]  # as long as `waveforms`


@dataclass(frozen=True, kw_only=True)
class SpeechBatch(UnitBatch):
    """Speech with frame units, and with the spectrogram that a decoder is to make of it."""

    mels: Float[Tensor, "batch mel_frame mel"]  # log-mel of the raw waveform, zero padded
    mel_lengths: Int[Tensor, " batch"]
    speaker_embeddings: Float[Tensor, "batch dim"]
    codebook_positions: Bool[Tensor, " frame"]  # replaced by their code in every row
    seed: int  # of whatever the objective draws (quantizer noise)


@dataclass(frozen=True)
class TextBatch(Batch):
    """Noised text and its original, for text infilling."""

    tokens: Int[Tensor, "batch token"]  # noised, <s> ... </s>, padded with 1
    token_lengths: Int[Tensor, " batch"]
    decoder_input: Int[Tensor, "batch target"]  # </s> and the targets but the last
    targets: Int[Tensor, "batch target"]  # the original, padded with 1
    target_lengths: Int[Tensor, " batch"]
    codebook_positions: Bool[Tensor, " token"]
    seed: int


@dataclass(frozen=True)
class TranscribedBatch(Batch):
    """Speech with its transcript, for recognition."""

    waveforms: Float[Tensor, "batch sample"]
    waveform_lengths: Int[Tensor, " batch"]
    time_mask: Bool[Tensor, "batch frame"] | None
    channel_mask: Bool[Tensor, "batch dim"] | None
    decoder_input: Int[Tensor, "batch target"]  # </s> and the targets but the last
    targets: Int[Tensor, "batch target"]  # tokens and </s>, padded with 1
    target_lengths: Int[Tensor, " batch"]  # </s> included


@dataclass(frozen=True, kw_only=True)
class SequenceBatch(Batch):
    """Tokens and what is to be written of them, one token after the other."""

    tokens: Int[Tensor, "batch token"]  # of the source's dictionary, padded with 1
    token_lengths: Int[Tensor, " batch"]
    decoder_input: Int[Tensor, "batch target"]  # </s> and the targets but the last
    targets: Int[Tensor, "batch target"]  # of another dictionary, and </s>, padded with 1
    target_lengths: Int[Tensor, " batch"]  # </s> included


@dataclass(frozen=True, kw_only=True)
class TextToUnitBatch(Batch):
    """Phones with their durations, and the frame units of the same speech."""

    tokens: Int[Tensor, "batch token"]  # phones, padded with 1
    token_lengths: Int[Tensor, " batch"]
    durations: Int[Tensor, "batch token"]  # units of each phone, 0 at padding
    units: Int[Tensor, "batch unit"]  # dictionary ids (unit + 4), padded with 1
    unit_lengths: Int[Tensor, " batch"]  # the sums of the durations
    pitches: Float[Tensor, "batch token"] | None = None  # of each phone, for a model that uses them
    energies: Float[Tensor, "batch token"] | None = None


Micro = Mapping[str, Batch]
