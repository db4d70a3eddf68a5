"""Batches for tests of objectives, and their rows one by one."""

from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any

import torch
from numpy.random import RandomState
from torch import Tensor

import tiny
from models.speecht5.sizes import NUM_UNITS, SPEAKER_DIM, VOCAB_SIZE, build
from sprachbund.data.batches.batch import (
    ContrastiveBatch,
    MixedUnitBatch,
    SequenceBatch,
    SpeechBatch,
    TeacherBatch,
    TextBatch,
    TextToUnitBatch,
    TranscribedBatch,
    UnitBatch,
)
from sprachbund.data.batches.masked import distractors
from sprachbund.data.batches.text_lines import TextLinesBatch
from sprachbund.data.batches.unit_text import UnitLinesBatch, UnitTextBatch
from sprachbund.lengths import frames_from_samples
from sprachbund.models.speecht5.model import SpeechT5

SAMPLES = (4000, 2700, 1800)
NUM_MELS = 5


def quiet_model(**changes: Any) -> SpeechT5:
    """A model without anything random in training, but for the codes."""
    config = build().config
    stack = replace(config.encoder, dropout=0.0, attention_dropout=0.0)
    rates = {
        "dropout": 0.0,
        "encoder_position_dropout": 0.0,
        "decoder_position_dropout": 0.0,
        "mel_prenet_dropout": 0.0,
        "postnet_dropout": 0.0,
    }
    return build(**({"encoder": stack, "decoder": stack, "num_speakers": None} | rates | changes))


def speech_batch(samples: tuple[int, ...] = SAMPLES, seed: int = 0) -> SpeechBatch:
    generator = torch.Generator().manual_seed(seed)
    frames = [frames_from_samples(length) for length in samples]
    mels = [length // 256 for length in samples]
    rows, width = len(samples), max(frames)
    units = torch.randint(4, NUM_UNITS, (rows, width), generator=generator)
    units[padding(frames)] = 1
    return SpeechBatch(
        ids=tuple(f"cut-{row}" for row in range(rows)),
        waveforms=torch.randn(rows, max(samples), generator=generator).masked_fill(padding(samples), 0.0),
        waveform_lengths=torch.tensor(samples),
        units=units,
        time_mask=(torch.rand(rows, width, generator=generator) < 0.5) & ~padding(frames),
        mels=torch.randn(rows, max(mels), NUM_MELS, generator=generator).masked_fill(padding(mels)[..., None], 0.0),
        mel_lengths=torch.tensor(mels),
        speaker_embeddings=torch.randn(rows, SPEAKER_DIM, generator=generator),
        codebook_positions=torch.rand(width, generator=generator) < 0.3,
        seed=seed,
    )


def text_batch(lengths: tuple[int, ...] = (7, 5, 3), seed: int = 0) -> TextBatch:
    generator = torch.Generator().manual_seed(seed)
    targets = torch.randint(4, VOCAB_SIZE, (len(lengths), max(lengths) + 2), generator=generator)
    targets[:, 0] = 0
    for row, length in zip(targets, lengths, strict=True):
        row[length + 1], row[length + 2 :] = 2, 1
    tokens = targets.clone()
    tokens[:, 1] = 4
    sizes = torch.tensor(lengths) + 2
    return TextBatch(
        ids=tuple(f"line-{row}" for row in range(len(lengths))),
        tokens=tokens,
        token_lengths=sizes,
        decoder_input=torch.cat([torch.full((len(lengths), 1), 2), targets[:, :-1]], dim=1),
        targets=targets,
        target_lengths=sizes,
        codebook_positions=torch.rand(tokens.shape[1], generator=generator) < 0.4,
        seed=seed,
    )


def transcribed_batch(samples: tuple[int, ...] = SAMPLES, seed: int = 0) -> TranscribedBatch:
    speech = speech_batch(samples, seed)
    text = text_batch(tuple(5 - row for row in range(len(samples))), seed)
    targets = text.targets[:, 1:]
    return TranscribedBatch(
        ids=speech.ids,
        waveforms=speech.waveforms,
        waveform_lengths=speech.waveform_lengths,
        time_mask=speech.time_mask,
        channel_mask=torch.rand(len(samples), 24, generator=torch.Generator().manual_seed(seed)) < 0.2,
        decoder_input=torch.cat([torch.full((len(samples), 1), 2), targets[:, :-1]], dim=1),
        targets=targets,
        target_lengths=text.target_lengths - 1,
    )


def unit_batch(samples: tuple[int, ...] = SAMPLES, seed: int = 0, labels_per_frame: int = 2) -> UnitBatch:
    """Half the frames masked; random units of `tiny.hubert_config`, `labels_per_frame` for each frame."""
    generator = torch.Generator().manual_seed(seed)
    frames = [frames_from_samples(length) for length in samples]
    labels = [labels_per_frame * count for count in frames]
    units = torch.randint(4, tiny.NUM_UNITS + 4, (len(samples), max(labels)), generator=generator)
    return UnitBatch(**_masked(samples, generator), units=units.masked_fill(padding(labels), 1))


def joint_batches(
    samples: tuple[int, ...] = SAMPLES, seed: int = 0, labels_per_frame: int = 1
) -> dict[str, MixedUnitBatch | UnitTextBatch | UnitLinesBatch]:
    """Speech, pairs and units of `models.speech_units.sizes`."""
    generator = torch.Generator().manual_seed(seed)
    frames = [frames_from_samples(length) for length in samples]
    labels = [labels_per_frame * count for count in frames]
    rows, width = len(samples), max(frames)
    lengths = torch.tensor([12 - 2 * row for row in range(rows)])

    def units_of(sizes: list[int]) -> Tensor:
        drawn = torch.randint(4, NUM_UNITS, (rows, max(sizes)), generator=generator)
        return drawn.masked_fill(padding(sizes), 1)

    def half(sizes: list[int]) -> Tensor:
        return (torch.rand(rows, max(sizes), generator=generator) < 0.5) & ~padding(sizes)

    masked = _masked(samples, generator) | {"channel_mask": torch.rand(rows, 24, generator=generator) < 0.1}
    text = text_batch(tuple(4 - row for row in range(rows)), seed)
    targets = text.targets[:, 1:]
    names = tuple(f"pair-{row}" for row in range(rows))
    assert width == masked["time_mask"].shape[1]
    return {
        "speech": MixedUnitBatch(**masked, units=units_of(labels), mix_mask=half(frames)),
        "paired": UnitTextBatch(
            ids=names,
            units=units_of(lengths.tolist()),
            unit_lengths=lengths,
            decoder_input=torch.cat([torch.full((rows, 1), 2), targets[:, :-1]], dim=1),
            targets=targets,
            target_lengths=text.target_lengths - 1,
            unit_mask=half(lengths.tolist()),
        ),
        "units": UnitLinesBatch(
            ids=names, units=units_of(lengths.tolist()), unit_lengths=lengths, unit_mask=half(lengths.tolist())
        ),
    }


def contrastive_batch(samples: tuple[int, ...] = SAMPLES, seed: int = 0, num_distractors: int = 5) -> ContrastiveBatch:
    """Half the frames masked, with distractors of each."""
    masked = _masked(samples, torch.Generator().manual_seed(seed))
    chosen = distractors(
        masked["time_mask"].numpy(), num_distractors, [RandomState(seed + 100 * row) for row in range(len(samples))]
    )
    return ContrastiveBatch(**masked, distractors=torch.from_numpy(chosen), seed=seed)


def teacher_batch(samples: tuple[int, ...] = SAMPLES, seed: int = 0) -> TeacherBatch:
    """Half the frames masked; the teacher hears other sounds than the encoder."""
    masked = _masked(samples, torch.Generator().manual_seed(seed))
    return TeacherBatch(**masked, clean=masked["waveforms"] * 0.5)


def _masked(samples: tuple[int, ...], generator: torch.Generator) -> dict[str, Any]:
    frames = [frames_from_samples(length) for length in samples]
    rows, width = len(samples), max(frames)
    return {
        "ids": tuple(f"cut-{row}" for row in range(rows)),
        "waveforms": torch.randn(rows, max(samples), generator=generator).masked_fill(padding(samples), 0.0),
        "waveform_lengths": torch.tensor(samples),
        "time_mask": (torch.rand(rows, width, generator=generator) < 0.5) & ~padding(frames),
        "channel_mask": torch.rand(rows, 32, generator=generator) < 0.1,
    }


def padding(lengths: tuple[int, ...] | list[int]) -> Tensor:
    return torch.arange(max(lengths))[None] >= torch.tensor(lengths)[:, None]


def rows_of(batch: Any) -> list[Any]:
    """Each row as a batch of one, cut to its own length; of several streams, the rows of all of them."""
    if isinstance(batch, Mapping):
        streams = [[(name, row) for row in rows_of(one)] for name, one in batch.items()]
        return [dict(rows) for rows in zip(*streams, strict=True)]
    widths = _widths(batch)
    rows = []
    for row in range(len(batch.ids)):
        changed: dict[str, Any] = {"ids": batch.ids[row : row + 1]}
        for field in fields(batch):
            value = getattr(batch, field.name)
            if not isinstance(value, Tensor):
                continue
            if field.name == "codebook_positions":
                changed[field.name] = value[: widths[field.name][row]]
            elif field.name in widths:
                changed[field.name] = value[row : row + 1, : widths[field.name][row]]
            else:
                changed[field.name] = value[row : row + 1]
        rows.append(replace(batch, **changed))
    return rows


def _widths(batch: Any) -> dict[str, list[int]]:
    if isinstance(batch, TextBatch):
        inputs, targets = batch.token_lengths.tolist(), batch.target_lengths.tolist()
        return {"tokens": inputs, "codebook_positions": inputs, "decoder_input": targets, "targets": targets}
    if isinstance(batch, TextLinesBatch):
        targets = batch.target_lengths.tolist()
        return {"tokens": targets, "targets": targets}
    if isinstance(batch, SequenceBatch):
        targets = batch.target_lengths.tolist()
        return {"tokens": batch.token_lengths.tolist(), "decoder_input": targets, "targets": targets}
    if isinstance(batch, TextToUnitBatch):
        inputs = batch.token_lengths.tolist()
        return {"tokens": inputs, "durations": inputs, "units": batch.unit_lengths.tolist()}
    if isinstance(batch, UnitTextBatch | UnitLinesBatch):
        units = batch.unit_lengths.tolist()
        targets = batch.target_lengths.tolist() if isinstance(batch, UnitTextBatch) else []
        return {"units": units, "unit_mask": units, "decoder_input": targets, "targets": targets}
    samples = batch.waveform_lengths.tolist()
    frames = [frames_from_samples(length) for length in samples]
    widths = {"waveforms": samples, "time_mask": frames, "distractors": frames, "clean": samples}
    if isinstance(batch, SpeechBatch):
        return widths | {"units": frames, "codebook_positions": frames, "mels": batch.mel_lengths.tolist()}
    if isinstance(batch, UnitBatch):
        rate = batch.units.shape[1] // batch.time_mask.shape[1]
        labels = [rate * count for count in frames]
        return widths | {"units": labels, "top_units": labels, "mix_mask": frames}
    if isinstance(batch, ContrastiveBatch | TeacherBatch):
        return widths
    targets = batch.target_lengths.tolist()
    return widths | {"decoder_input": targets, "targets": targets}
