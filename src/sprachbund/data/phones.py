"""Alignments of cuts read back: the phone at every label, the words in their order.

Lhotse moves a supervision when its cut is truncated, but not the times of its alignment. So the aligner notes where the
supervision began when it was aligned, and the difference tells how far it has been moved since.
"""

import itertools
from collections.abc import Iterator

from lhotse.cut import Cut
from lhotse.supervision import AlignmentItem

from sprachbund.tokens.phones import plain_phone

WORD, PHONE = "word", "phone"  # the tiers
# Custom fields of an aligned supervision.
ALIGNMENT_START = "alignment_start"  # its start when it was aligned
FINGERPRINT = "alignment_fingerprint"  # of the aligner
SCORE = "alignment_score"  # nats a frame, 0 at best
DECODED = "phones_decoded"  # true where the phones are a guess without a transcript
ALIGNMENT_FIELDS = (ALIGNMENT_START, FINGERPRINT, SCORE, DECODED)


def items_of(cut: Cut, tier: str) -> list[AlignmentItem]:
    """The items of a tier inside `cut`, in the order of their times, which count from its start."""
    found = [item for item in _moved(cut, tier) if item.end > 0 and item.start < cut.duration]
    return sorted((_clipped(item, cut.duration) for item in found), key=lambda item: item.start)


def is_aligned(cut: Cut) -> bool:
    """Whether there are phones in time."""
    return any(said.alignment and said.alignment.get(PHONE) for said in cut.supervisions)


def phones_of_labels(cut: Cut, num_labels: int, frame_shift: float) -> list[str | None]:
    """The plain phone in the middle of each label, as `symbols_of_labels`."""
    symbols = symbols_of_labels(cut, num_labels, frame_shift)
    return [None if symbol is None else plain_phone(symbol) for symbol in symbols]


def symbols_of_labels(cut: Cut, num_labels: int, frame_shift: float) -> list[str | None]:
    """The symbol in the middle of each label, as the aligner named it; None where there is none.

    Args:
        cut: with or without an alignment.
        num_labels: labels from the start of `cut` on.
        frame_shift: seconds between two labels.
    """
    items = items_of(cut, PHONE)
    labels: list[str | None] = []
    place = 0
    for middle in itertools.islice(_middles(frame_shift), num_labels):
        while place < len(items) and items[place].end <= middle:
            place += 1
        is_inside = place < len(items) and items[place].start <= middle
        labels.append(items[place].symbol if is_inside else None)
    return labels


def _middles(frame_shift: float) -> Iterator[float]:
    """The middles of labels, a hair later: those of 20 ms lie on boundaries of 10 ms and belong to what follows."""
    return (round((number + 0.5) * frame_shift, 6) + 1e-6 for number in itertools.count())


def _moved(cut: Cut, tier: str) -> Iterator[AlignmentItem]:
    for said in cut.supervisions:
        offset = said.start - (said.custom or {}).get(ALIGNMENT_START, said.start)
        for item in (said.alignment or {}).get(tier, ()):
            yield item._replace(start=round(item.start + offset, 8))


def _clipped(item: AlignmentItem, duration: float) -> AlignmentItem:
    start, end = max(0.0, item.start), min(duration, item.end)
    return item._replace(start=start, duration=round(end - start, 8))
