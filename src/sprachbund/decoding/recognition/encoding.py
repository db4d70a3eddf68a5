"""Recordings through the encoder: which ones together, how they lie side by side, and what comes out."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch

from sprachbund.decoding.ctc.greedy import count_blanks
from sprachbund.lengths import frames_from_samples
from sprachbund.models.encoded import EncodedSpeech
from sprachbund.models.speech_encoder import SpeechEncoder
from sprachbund.nn.precision import Precision, mixed_precision
from sprachbund.shapes import Array, Float, Tensor
from sprachbund.signal.audio import SAMPLING_RATE
from sprachbund.signal.features import normalize_waveform


@dataclass(frozen=True)
class EncodedRecordings:
    """Some recordings side by side, as every decoder takes them."""

    places: tuple[int, ...]  # of the recordings among all that were given
    memory: EncodedSpeech
    ctc_logits: Float[Tensor, "batch frame vocab"] | None  # None of a model without a CTC head
    blanks: tuple[int, ...] | None  # frames of each on which CTC says nothing


def plan_batches(lengths: Sequence[int], batch_seconds: float) -> list[list[int]]:
    """Places of recordings of like length, at most `batch_seconds` a batch after padding; none below one frame.

    Args:
        lengths: of all recordings, in samples.
        batch_seconds: a longer recording is a batch of its own.
    """
    limit, batches = batch_seconds * SAMPLING_RATE, list[list[int]]()
    for place in sorted(range(len(lengths)), key=lambda place: (-lengths[place], place)):
        if frames_from_samples(lengths[place]) == 0:
            continue
        if batches and lengths[batches[-1][0]] * (len(batches[-1]) + 1) <= limit:
            batches[-1].append(place)
        else:
            batches.append([place])
    return batches


def collate_waveforms(
    waveforms: Sequence[Float[Array, " _"]], *, is_normalized: bool, device: torch.device
) -> tuple[Float[Tensor, "batch sample"], Tensor]:
    """Waveforms side by side as a model wants them, and their lengths."""
    if is_normalized:
        waveforms = [normalize_waveform(waveform) for waveform in waveforms]
    rows = [torch.from_numpy(waveform).float() for waveform in waveforms]
    lengths = torch.tensor([len(row) for row in rows], device=device)
    return torch.nn.utils.rnn.pad_sequence(rows, batch_first=True).to(device), lengths


def encode_recordings(
    model: SpeechEncoder,
    waveforms: Sequence[Float[Array, " _"]],
    *,
    blank: int | None,
    batch_seconds: float,
    precision: Precision = "float32",
) -> Iterator[EncodedRecordings]:
    """Encode waveforms of 16 kHz, batch by batch; those below one frame are in none.

    Args:
        model: in evaluation mode.
        waveforms: all of them.
        blank: the id of the blank; None for a model without a CTC head.
        batch_seconds: recordings side by side, padding included.
        precision: of the encoder.
    """
    device = next(model.parameters()).device
    for places in plan_batches([len(waveform) for waveform in waveforms], batch_seconds):
        chosen = [waveforms[place] for place in places]
        batch, lengths = collate_waveforms(chosen, is_normalized=model.config.is_normalized, device=device)
        with torch.no_grad(), mixed_precision(device, precision):
            memory = model.encode_speech(batch, lengths)
            logits = None if blank is None else model.ctc_logits(memory).float()
        blanks = None
        if logits is not None and blank is not None:
            blanks = tuple(count_blanks(logits, memory.lengths, blank).tolist())
        yield EncodedRecordings(tuple(places), memory, logits, blanks)
