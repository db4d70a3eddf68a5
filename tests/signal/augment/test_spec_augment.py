import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.random import RandomState

from sprachbund.signal.augment.spec_augment import SpecAugment, spec_augment

MODEST = settings(deadline=None, max_examples=60)


@given(
    frames=st.integers(0, 60),
    channels=st.integers(1, 40),
    frequency=st.tuples(st.integers(0, 3), st.integers(0, 60)),
    time=st.tuples(st.integers(0, 3), st.integers(0, 90)),
    share=st.floats(0, 1),
    seed=st.integers(0, 2**32 - 1),
)
@MODEST
def test_masks_are_few_narrow_and_all_the_rest_is_untouched(
    frames: int, channels: int, frequency: tuple[int, int], time: tuple[int, int], share: float, seed: int
) -> None:
    features = np.arange(frames * channels, dtype=np.float32).reshape(frames, channels) + 0.25
    before = features.copy()
    config = SpecAugment(
        frequency_masks=frequency[0],
        frequency_width=frequency[1],
        time_masks=time[0],
        time_width=time[1],
        time_share=share,
    )
    masked = spec_augment(features, config, RandomState(seed))
    assert np.array_equal(features, before)
    assert masked.shape == features.shape
    assert masked.dtype == features.dtype
    if not frames:
        return
    changed = masked != features
    assert np.allclose(masked[changed], features.mean(), rtol=1e-6)
    rows, columns = changed.all(axis=1), changed.all(axis=0)
    # Whole frames and whole channels, and nothing beside them; a value that is the mean itself does not show.
    shows = features != np.float32(features.mean(dtype=np.float64))
    if shows.all() and not rows.all() and not columns.all():
        assert np.array_equal(changed, rows[:, None] | columns[None, :])
        assert rows.sum() <= time[0] * min(time[1], int(share * frames))
        assert columns.sum() <= frequency[0] * frequency[1]


def test_every_place_and_width_is_drawn() -> None:
    features = np.random.default_rng(0).standard_normal((5, 3)).astype(np.float32)
    config = SpecAugment(frequency_masks=0, time_masks=1, time_width=2)
    seen = {
        tuple(np.flatnonzero((spec_augment(features, config, RandomState(seed)) != features).all(axis=1)).tolist())
        for seed in range(200)
    }
    assert seen == {(), (0,), (1,), (2,), (3,), (4,), (0, 1), (1, 2), (2, 3), (3, 4)}


def test_the_papers_policy_is_the_default() -> None:
    features = np.random.default_rng(0).standard_normal((1000, 80)).astype(np.float32)
    hidden = [(spec_augment(features, SpecAugment(), RandomState(seed)) != features).mean() for seed in range(100)]
    # Two of 0 to 27 of 80 channels and two of 0 to 100 of 1000 frames: 0.4 of the values, less what overlaps.
    assert 0.3 < np.mean(hidden) < 0.45
    assert len(set(hidden)) > 90
