"""Assignment of units against scikit-learn's `predict` on the same features: ``python -m benchmarks.units``.

The runs of the two take turns, so that what else the machine does meets both.
"""

import json
import statistics
import sys
import time
from collections.abc import Callable

import numpy as np
from sklearn.cluster import MiniBatchKMeans

from sprachbund.shapes import Array, Float
from sprachbund.tokens.units import UnitModel

SIZES = ((39, 100, 360_000), (256, 200, 180_000), (768, 500, 90_000))
"""Channels, units and frames: an hour of MFCC, an hour of a small encoder, half an hour of a base one."""
ROUNDS = 5


def units_row(channels: int, num_units: int, num_frames: int, rounds: int = ROUNDS) -> dict[str, float]:
    """Median seconds of both, and the median of the ratios of neighbouring runs (below 1: ours is faster)."""
    generator = np.random.default_rng(0)
    frames = generator.standard_normal((num_frames, channels), dtype=np.float32)
    peer = MiniBatchKMeans(num_units, n_init=1, max_iter=1, random_state=0).fit(frames[: 20 * num_units])
    ours = UnitModel(np.ascontiguousarray(peer.cluster_centers_, dtype=np.float32))
    same = float((ours.assign(frames) == peer.predict(frames)).mean())
    pairs = [(_seconds(ours.assign, frames), _seconds(peer.predict, frames)) for _ in range(rounds)]
    return {
        "channels": channels,
        "units": num_units,
        "frames": num_frames,
        "ours": statistics.median(one for one, _ in pairs),
        "scikit-learn": statistics.median(other for _, other in pairs),
        "ratio": statistics.median(one / other for one, other in pairs),
        "same units": same,
    }


def _seconds(
    function: Callable[[Float[Array, "frame channel"]], object], frames: Float[Array, "frame channel"]
) -> float:
    start = time.perf_counter()
    function(frames)
    return time.perf_counter() - start


if __name__ == "__main__":
    for size in SIZES:
        sys.stdout.write(json.dumps(units_row(*size)) + "\n")
