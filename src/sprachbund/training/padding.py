"""How much of a micro-batch is padding."""

from collections.abc import Mapping

from sprachbund.data.batches.batch import Batch
from sprachbund.lengths import samples_per_frame

# What a batch holds in rows: the field, that of its lengths, and how many of it are one position of a model.
_ROWS = (
    ("waveforms", "waveform_lengths", samples_per_frame()),
    ("tokens", "token_lengths", 1),
    ("units", "unit_lengths", 1),
    ("targets", "target_lengths", 1),
)


def padding(micro: Mapping[str, Batch]) -> tuple[float, float]:
    """Positions that are padding, and all positions, of all streams together.

    Positions are frames of speech, units, and tokens of text. Units of the frames of speech are no positions of their
    own.
    """
    empty = total = 0.0
    for batch in micro.values():
        for name, lengths_name, size in _ROWS:
            rows, lengths = getattr(batch, name, None), getattr(batch, lengths_name, None)
            if rows is not None and lengths is not None:
                empty += (rows.shape[0] * rows.shape[1] - float(lengths.sum())) / size
                total += rows.shape[0] * rows.shape[1] / size
    return empty, total
