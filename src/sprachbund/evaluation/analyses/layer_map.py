"""Whether speech and units of different clips lie in one space: points of both after each shared layer.

Speech is of one half of the clips and units are of the other, so no point of one side has a partner on the other.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from lhotse import CutSet

from sprachbund.data.progress import watched
from sprachbund.errors import DataError
from sprachbund.evaluation.analyses.agreement import unit_length
from sprachbund.evaluation.analyses.clips import ChosenCuts, PhonedClip, SharedTransformer
from sprachbund.evaluation.analyses.phone_classes import class_of
from sprachbund.shapes import Array, Bool, Float, Int

NUM_NEIGHBOURS = 10
PERPLEXITY = 30.0
FEWEST_POINTS = 10  # of each side


@dataclass(frozen=True, eq=False)
class Points:
    """States with the phone that each belongs to."""

    states: Float[Array, "point dim"]
    phones: tuple[str, ...]
    is_speech: Bool[Array, " point"]
    clips: Int[Array, " point"]


@dataclass(frozen=True)
class LayerFigures:
    """How much two sides are one space; near is by the cosine, and points of one clip are not neighbours."""

    points: int
    mixing: float  # of the ten nearest points, the share of the other side
    mixing_expected: float  # that share where the side plays no part
    phone_agreement: float  # points of speech whose nearest point of units has their phone
    phone_chance: float  # that share where any point of units is as near
    silhouette_phone: float  # from -1 to 1; high where phones are apart from each other
    silhouette_side: float  # high where speech and units are apart


def sample_points(shared: SharedTransformer, chosen: ChosenCuts, num_points: int, seed: int) -> dict[int, Points]:
    """Points at each shared layer: states of frames of every second clip, and of units of the clips between them.

    Args:
        shared: the model.
        chosen: at least two clips.
        num_points: of each side at most, spread evenly over its clips.
        seed: of the choice of frames and units.

    Raises:
        DataError: too few clips or too few points with a phone.
        AudioError: a recording cannot be read.
    """
    generator = np.random.default_rng(seed)
    rows: dict[int, list[Float[Array, "_ dim"]]] = {layer: [] for layer in shared.layers}
    phones: list[str] = []
    sides: list[bool] = []
    clips: list[int] = []
    num_clips = len(chosen.cuts)
    for number, cut in enumerate(watched(CutSet.from_cuts(chosen.cuts), "Reading states")):
        clip, is_speech = shared.read(cut), number % 2 == 0
        quota = math.ceil(num_points / ((num_clips + is_speech) // 2))
        places = _places(clip, is_speech, quota, generator)
        states = shared.speech_states(clip) if is_speech else shared.unit_states(clip)
        for layer, found in zip(shared.layers, states, strict=True):
            rows[layer].append(found[places])
        every = clip.frame_phones if is_speech else clip.unit_phones
        phones += [str(every[place]) for place in places]
        sides += [is_speech] * len(places)
        clips += [number] * len(places)
    kept = _kept(np.array(sides, dtype=bool), num_points, generator)
    names = tuple(phones[place] for place in kept)
    return {
        layer: Points(
            np.concatenate(found)[kept],
            names,
            np.array(sides, dtype=bool)[kept],
            np.array(clips, dtype=np.int64)[kept],
        )
        for layer, found in rows.items()
    }


def measure_layer(points: Points) -> LayerFigures:
    """The figures of one layer.

    Raises:
        DataError: all points have one phone, or all neighbours are of one clip.
    """
    from sklearn.metrics import silhouette_score

    if len(set(points.phones)) < 2:
        raise DataError("all points have one phone", given=points.phones[0], mend="Give more speech.")
    directions = unit_length(points.states)
    near = directions @ directions.T
    phones, is_speech = np.unique(points.phones, return_inverse=True)[1], points.is_speech
    near[points.clips[:, None] == points.clips] = -np.inf
    allowed = np.isfinite(near)
    is_other = is_speech[:, None] != is_speech
    count = min(NUM_NEIGHBOURS, int(allowed.sum(axis=1).min()))
    nearest = np.argsort(-near, axis=1, kind="stable")[:, :count]
    to_units = np.where(is_speech, -np.inf, near)[is_speech]
    same = phones[is_speech][:, None] == phones[~is_speech]
    return LayerFigures(
        points=len(phones),
        mixing=float(np.take_along_axis(is_other, nearest, axis=1).mean()),
        mixing_expected=float(((is_other & allowed).sum(axis=1) / allowed.sum(axis=1)).mean()),
        phone_agreement=float((phones[to_units.argmax(axis=1)] == phones[is_speech]).mean()),
        phone_chance=float(same.mean()),
        # Over directions the Euclidean distance orders pairs as the cosine does.
        silhouette_phone=float(silhouette_score(directions, phones)),
        silhouette_side=float(silhouette_score(directions, is_speech)),
    )


def project(points: Points, seed: int) -> Float[Array, "point 2"]:
    """Places in the plane by t-SNE of the directions of the states (van der Maaten and Hinton, 2008)."""
    from sklearn.manifold import TSNE
    from threadpoolctl import threadpool_limits

    perplexity = min(PERPLEXITY, (len(points.phones) - 1) / 3)
    # The order in which threads add up their shares would show in the picture.
    with threadpool_limits(limits=1):
        places = TSNE(perplexity=perplexity, init="pca", random_state=seed).fit_transform(unit_length(points.states))
    found: Float[Array, "point 2"] = np.asarray(places, dtype=np.float64)
    return found


def _places(clip: PhonedClip, is_speech: bool, count: int, generator: np.random.Generator) -> Int[Array, " place"]:
    """Some frames or units of a clip that have a phone, in their order."""
    phones: Sequence[str | None] = clip.frame_phones if is_speech else clip.unit_phones
    spoken = np.array([place for place, phone in enumerate(phones) if phone is not None and class_of(phone)], np.int64)
    return np.sort(generator.choice(spoken, min(count, len(spoken)), replace=False))


def _kept(is_speech: Bool[Array, " point"], count: int, generator: np.random.Generator) -> Int[Array, " kept"]:
    """At most `count` points of each side."""
    kept = []
    for name, side in (("speech", is_speech), ("units", ~is_speech)):
        places = np.flatnonzero(side)
        if len(places) < FEWEST_POINTS:
            given = f"{len(places)} of {name}, where {FEWEST_POINTS} are needed"
            raise DataError("there are too few points with a phone", given=given, mend="Give more aligned speech.")
        kept.append(generator.choice(places, min(count, len(places)), replace=False))
    return np.sort(np.concatenate(kept))
