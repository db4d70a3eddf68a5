"""Figures and places of points: laws, made-up spaces, and real models."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lhotse import CutSet

import analysed
from paired_speech import paired_cuts
from sprachbund.errors import DataError
from sprachbund.evaluation.analyses.layer_map import Points, measure_layer, project, sample_points
from sprachbund.evaluation.analyses.phone_classes import VOWELS
from sprachbund.shapes import Array

NAMES = ("AA", "B", "S", "M")


def points(states: Array, *, clips: int = 6) -> Points:
    """Speech and units by turns of two, phones in a ring, clips of three points of one side each or more."""
    count = len(states)
    is_speech = np.arange(count) % 2 == 0
    return Points(
        states.astype(np.float32),
        tuple(NAMES[place // 2 % len(NAMES)] for place in range(count)),
        is_speech,
        np.arange(count) // 2 % clips * 2 + ~is_speech,
    )


def space(count: int, *, by_phone: float, by_side: float, seed: int = 0) -> Points:
    """Noise, with a direction for each phone and one for each side, so strong."""
    noise = np.random.default_rng(seed).standard_normal((count, 12))
    made = points(noise)
    noise[np.arange(count), [NAMES.index(phone) for phone in made.phones]] += by_phone
    noise[np.arange(count), 4 + made.is_speech] += by_side
    return points(noise)


def test_one_space_of_phones_is_told_from_two_sides() -> None:
    one = measure_layer(space(240, by_phone=30, by_side=0))
    assert one.mixing == pytest.approx(one.mixing_expected, abs=0.1)
    assert one.phone_agreement == 1.0
    assert one.phone_chance == pytest.approx(0.25, abs=0.01)
    assert one.silhouette_phone > 0.7
    assert abs(one.silhouette_side) < 0.05
    two = measure_layer(space(240, by_phone=0, by_side=30))
    assert two.mixing == 0.0
    assert two.phone_agreement == pytest.approx(two.phone_chance, abs=0.15)
    assert two.silhouette_side > 0.7
    assert two.silhouette_phone < 0.05


def test_noise_is_mixed_as_expected() -> None:
    found = measure_layer(space(600, by_phone=0, by_side=0))
    assert found.points == 600
    assert found.mixing == pytest.approx(found.mixing_expected, abs=0.03)
    assert found.mixing_expected > 0.5  # points of one clip, which are of one side, are no neighbours
    assert found.phone_agreement == pytest.approx(found.phone_chance, abs=0.06)


def test_points_of_one_clip_are_no_neighbours() -> None:
    """Each clip is a place of its own, so every near point is of the same clip; of the others all are as near."""
    states = np.repeat(np.eye(12), 10, axis=0)
    clips = np.repeat(np.arange(12), 10)
    is_speech = clips % 2 == 0
    phones = tuple(NAMES[place % 4] for place in range(len(states)))
    found = measure_layer(Points(states.astype(np.float32), phones, is_speech, clips))
    # By turns five other clips of the same side and six of the other one.
    assert found.mixing_expected == pytest.approx(6 / 11)
    assert found.mixing > 0.0


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 1000), st.floats(0.01, 100), st.permutations(range(40)))
def test_neither_lengths_nor_the_order_of_points_matter(seed: int, scale: float, order: list[int]) -> None:
    made = space(40, by_phone=1, by_side=1, seed=seed)
    lengths = np.random.default_rng(seed).uniform(0.1, 10, (40, 1))
    other = Points(
        (scale * lengths * made.states)[order].astype(np.float32),
        tuple(made.phones[place] for place in order),
        made.is_speech[order],
        made.clips[order],
    )
    one, two = measure_layer(made), measure_layer(other)
    assert vars(two) == pytest.approx(vars(one), abs=1e-5)


def test_one_phone_alone_has_no_map() -> None:
    made = space(20, by_phone=0, by_side=0)
    with pytest.raises(DataError, match="all points have one phone"):
        measure_layer(Points(made.states, ("AA",) * 20, made.is_speech, made.clips))


def test_near_points_stay_near_in_the_plane() -> None:
    made = space(120, by_phone=30, by_side=0)
    places = project(made, seed=1)
    assert places.shape == (120, 2)
    assert np.isfinite(places).all()
    assert (places == project(made, seed=1)).all()
    phones = np.array(made.phones)
    apart = np.linalg.norm(places[:, None] - places, axis=2) + np.diag(np.full(120, np.inf))
    assert (phones[apart.argmin(axis=1)] == phones).all()


@pytest.fixture(scope="module")
def cuts(tmp_path_factory: pytest.TempPathFactory) -> CutSet:
    return paired_cuts(tmp_path_factory.mktemp("cuts"), 6)


@pytest.mark.parametrize("kind", ["speechlm", "speechut"])
def test_sides_are_of_different_clips(cuts: CutSet, kind: str) -> None:
    shared = analysed.shared(kind)
    chosen = shared.choose(cuts, 5)
    found = sample_points(shared, chosen, 30, seed=0)
    assert tuple(found) == shared.layers
    made = found[2]
    assert 10 <= made.is_speech.sum() <= 30
    assert 10 <= (~made.is_speech).sum() <= 30
    assert not set(made.clips[made.is_speech]) & set(made.clips[~made.is_speech])
    assert set(made.clips) == set(range(5))
    again = sample_points(shared, chosen, 30, seed=0)[2]
    assert (again.states == made.states).all()
    other = sample_points(shared, chosen, 30, seed=1)[2]
    assert other.states.shape != made.states.shape or (other.states != made.states).any()


def test_each_point_has_the_phone_of_its_state(cuts: CutSet) -> None:
    real = analysed.shared()
    knowing = analysed.Knowing(real.model, real.labels, is_reduced=False)
    made = sample_points(knowing, knowing.choose(cuts, 6), 40, seed=0)[2]
    assert (made.states == analysed.one_hot(made.phones)).all()
    assert not set(made.phones) <= set(VOWELS)


def test_too_little_speech_is_refused(cuts: CutSet) -> None:
    shared = analysed.shared()
    with pytest.raises(DataError, match=r"too few points with a phone.*of units"):
        sample_points(shared, shared.choose(cuts, 1), 30, seed=0)
