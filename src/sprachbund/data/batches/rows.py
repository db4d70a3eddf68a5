"""What collators share: rows side by side, what the encoder hears, and the masks of rows."""

from collections.abc import Sequence

import numpy as np
import torch
from lhotse.cut import Cut

from sprachbund.data.batches.augmentation import Augmenter
from sprachbund.data.batches.crops import NUM_SPECIALS
from sprachbund.data.batches.masking import SpanMasking, channel_mask, row_generator, time_mask
from sprachbund.lengths import frames_from_samples
from sprachbund.shapes import Array, Bool, Float, Int, Tensor
from sprachbund.signal.features import normalize_waveform
from sprachbund.tokens.vocabulary import EOS, PAD


def shift_right(target: Int[Tensor, " target"]) -> Int[Tensor, " target"]:
    """What the decoder is fed: the end mark, then the target without its last token."""
    return torch.cat([target.new_tensor([EOS]), target[:-1]])


def pad(rows: Sequence[Tensor], value: float = 0) -> Tensor:
    """Rows side by side, (batch, longest, ...), filled up with `value`."""
    return torch.nn.utils.rnn.pad_sequence(list(rows), batch_first=True, padding_value=value)


def unit_rows(rows: Sequence[Int[Array, " _"]]) -> Int[Tensor, "batch label"]:
    """Units as ids of their dictionary, after its specials."""
    return pad([torch.from_numpy(units + NUM_SPECIALS) for units in rows], PAD)


def row_lengths(rows: Sequence[Array] | Sequence[Tensor]) -> Int[Tensor, " batch"]:
    """How long each row is."""
    return torch.tensor([len(row) for row in rows])


def encoder_inputs(
    waveforms: Sequence[Float[Array, " _"]],
    cuts: Sequence[Cut],
    draw: int,
    augmenter: Augmenter | None,
    is_normalized: bool,
) -> list[Float[Array, " _"]]:
    """What the encoder hears of crops."""
    inputs = list(waveforms)
    if augmenter is not None:
        inputs = [augmenter.distort(wave, cut, draw) for wave, cut in zip(inputs, cuts, strict=True)]
    return [normalize_waveform(waveform) for waveform in inputs] if is_normalized else inputs


def drawn_time_mask(
    masking: SpanMasking, seed: int, cuts: Sequence[Cut], waveforms: Sequence[Float[Array, " _"]], draw: int
) -> Bool[Tensor, "batch frame"]:
    """The masked frames of every row, drawn from a generator of its own."""
    return drawn_mask(masking, seed, cuts, waveforms, draw, "time mask")


def drawn_mask(
    masking: SpanMasking,
    seed: int,
    cuts: Sequence[Cut],
    waveforms: Sequence[Float[Array, " _"]],
    draw: int,
    purpose: str,
) -> Bool[Tensor, "batch frame"]:
    """The same for any purpose, which the draw depends on."""
    frames = np.array([frames_from_samples(len(waveform)) for waveform in waveforms])
    generators = [row_generator(seed, draw, cut.id, purpose) for cut in cuts]
    return torch.from_numpy(time_mask(frames, int(frames.max()), masking, generators))


def drawn_channel_mask(
    masking: SpanMasking | None, num_channels: int, seed: int, cuts: Sequence[Cut], draw: int
) -> Bool[Tensor, "batch dim"] | None:
    """The same of channels; None where none are to be masked."""
    if masking is None:
        return None
    generators = [row_generator(seed, draw, cut.id, "channel mask") for cut in cuts]
    return torch.from_numpy(channel_mask(num_channels, masking, generators))
