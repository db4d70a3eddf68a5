"""Phone durations of aligned speech."""

from collections import defaultdict

from lhotse import CutSet

from sprachbund.data.phones import PHONE, items_of
from sprachbund.tokens.phone_durations import PhoneDurations
from sprachbund.tokens.phones import plain_phone


def measure_durations(cuts: CutSet, frame_shift: float) -> PhoneDurations:
    """How long each phone lasts in `cuts`, in labels of `frame_shift` seconds; cuts without an alignment add nothing.

    Raises:
        DataError: hardly any phone is aligned.
    """
    seconds: defaultdict[str, list[float]] = defaultdict(list)
    for cut in cuts:
        for item in items_of(cut, PHONE):
            seconds[plain_phone(item.symbol)].append(item.duration)
    return PhoneDurations.measured(seconds, frame_shift)
