"""Some minutes of a corpus, the same ones wherever they are chosen."""

import hashlib
from collections.abc import Sequence

import numpy as np
from lhotse.cut import Cut

from sprachbund.errors import DataError


def chosen_cuts(cuts: Sequence[Cut], max_minutes: float) -> list[Cut]:
    """Clips in the order of a hash of their ids, until they are that long; then in their own order again.

    Fewer minutes are a part of more of them, and neither the order of the clips nor the machine matters.

    Raises:
        DataError: the first clip is longer.
    """
    seconds = 60 * max_minutes
    order = sorted(cuts, key=lambda cut: hashlib.blake2b(cut.id.encode(), digest_size=8).digest())
    heard = np.cumsum([cut.duration for cut in order])
    taken = {cut.id for cut, total in zip(order, heard, strict=True) if total <= seconds}
    if not taken:
        mend = "Allow more: --minutes of a command, max_minutes of a recipe."
        raise DataError("the minutes are fewer than the first clip has", given=f"{seconds:.1f} s", mend=mend)
    return [cut for cut in cuts if cut.id in taken]
