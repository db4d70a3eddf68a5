"""What a spectrogram decoder reads and learns, and crops that keep waveform, units and spectrogram together.

With a reduction factor r the decoder makes r frames a position (Tacotron, section 3.3): it reads every r-th frame, one
position late, and its targets are cut to a multiple of r.
"""

from numpy.random import RandomState

from sprachbund.errors import DataError
from sprachbund.lengths import frames_from_samples, padding_mask_from_lengths, samples_per_frame
from sprachbund.shapes import Array, Float, Int, Shaped, Tensor
from sprachbund.signal.audio import SAMPLING_RATE

FRAME_RATE = SAMPLING_RATE // samples_per_frame()  # of the waveform front-end


def thin_frames(
    mels: Float[Tensor, "batch mel_frame mel"], reduction_factor: int
) -> Float[Tensor, "batch position mel"]:
    """The last frame of each group of `reduction_factor`; an unfinished group has none."""
    return mels[:, reduction_factor - 1 :: reduction_factor]


def decoder_input_frames(
    mels: Float[Tensor, "batch mel_frame mel"], reduction_factor: int
) -> Float[Tensor, "batch position mel"]:
    """What the decoder reads: a frame of zeros, then the thinned frames but the last."""
    thinned = thin_frames(mels, reduction_factor)
    shifted = thinned.roll(1, dims=1)
    shifted[:, :1] = 0
    return shifted


def decoder_input_lengths(mel_lengths: Int[Tensor, " batch"], reduction_factor: int) -> Int[Tensor, " batch"]:
    """Decoder positions of each row."""
    return mel_lengths // reduction_factor


def trimmed_lengths(mel_lengths: Int[Tensor, " batch"], reduction_factor: int) -> Int[Tensor, " batch"]:
    """Target frames that the decoder can make: multiples of the reduction factor."""
    return mel_lengths - mel_lengths % reduction_factor


def stop_labels(mel_lengths: Int[Tensor, " batch"], max_length: int) -> Float[Tensor, "batch mel_frame"]:
    """1 from the last frame on, padding included.

    A row that is longer than `max_length`, because it was cropped, has no end and so no 1.
    """
    return padding_mask_from_lengths(mel_lengths - 1, max_length).float()


def trimmed_stop_labels(
    labels: Float[Tensor, "batch mel_frame"], mel_lengths: Int[Tensor, " batch"], reduction_factor: int
) -> Float[Tensor, "batch trimmed"]:
    """The stop labels of the trimmed targets: with r > 1 the last kept frame of every row is an end.

    `mel_lengths` are of the targets before trimming. A row shorter than r keeps no frame and gets no end.
    """
    if reduction_factor == 1:
        return labels
    kept = trimmed_lengths(mel_lengths, reduction_factor)
    trimmed = labels[:, : int(kept.max())].clone()
    rows = kept.nonzero()[:, 0]
    trimmed[rows, kept[rows] - 1] = 1
    return trimmed


def samples_per_label(label_rate: int) -> int:
    """Samples between two unit labels.

    Raises:
        DataError: the rate is not a multiple of the front-end's 50 frames a second that divides 16 000.
    """
    if label_rate <= 0 or label_rate % FRAME_RATE or SAMPLING_RATE % label_rate:
        mend = f"Use units at a multiple of {FRAME_RATE} a second that divides {SAMPLING_RATE}."
        raise DataError("The label rate does not fit the frames", given=label_rate, mend=mend)
    return SAMPLING_RATE // label_rate


def crop_start(num_samples: int, max_samples: int, generator: RandomState, samples_per_label: int) -> int:
    """Where a random crop of `max_samples` begins: on a label boundary, all boundaries equally likely; 0 if all fits.

    With `samples_per_label` 1 the draw is the published one, at any sample.
    """
    if num_samples <= max_samples:
        return 0
    return samples_per_label * int(generator.randint(0, (num_samples - max_samples) // samples_per_label + 1))


def crop_units(
    units: Int[Array, " label"], start_sample: int, num_samples: int, label_rate: int
) -> Int[Array, " cropped"]:
    """The labels of a crop: as many as the front-end yields frames, times the labels a frame.

    Args:
        units: of the whole recording.
        start_sample: of the crop, on a label boundary.
        num_samples: of the crop.
        label_rate: labels a second.

    Raises:
        DataError: the units end before the crop does, or the crop begins within a label.
    """
    step = samples_per_label(label_rate)
    if start_sample % step:
        raise DataError(
            "A crop begins within a label", given=f"sample {start_sample}", mend=f"Begin at multiples of {step}."
        )
    start = start_sample // step
    count = frames_from_samples(num_samples) * (samples_per_frame() // step)
    if len(units) < start + count:
        given = f"{len(units)} labels where {start + count} are needed"
        mend = "Make the units again from these recordings, or leave the recording out."
        raise DataError("The units are shorter than their recording", given=given, mend=mend)
    return units[start : start + count]


def crop_units_rounded(
    units: Int[Array, " label"], start_sample: int, num_samples: int, label_rate: int
) -> Int[Array, " cropped"]:
    """The labels of a crop by the original's rule, for parity: times are rounded to labels, and what is there is taken.

    The original then cuts a batch to its shortest row.
    """
    start = round(start_sample * label_rate / SAMPLING_RATE)
    return units[start : start + round(num_samples * label_rate / SAMPLING_RATE)]


def crop_mel(
    mel: Shaped[Array, "mel_frame *mel"], start_sample: int, num_samples: int, total_samples: int
) -> Shaped[Array, "cropped *mel"]:
    """The frames of a crop of a recording of `total_samples`: start and length shrink by frames to samples."""
    num_frames = len(mel)
    start = start_sample * num_frames // total_samples
    return mel[start : start + num_samples * num_frames // total_samples]
