import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import load_file

from sprachbund.data.batches.masking import (
    SpanMasking,
    channel_mask,
    codebook_positions,
    derived_seed,
    published_mask,
    row_generator,
    time_mask,
)

FROZEN_SEED, FROZEN_DRAW = 7745668834620417902, 159300207

maskings = st.builds(
    SpanMasking,
    probability=st.floats(0, 1),
    length=st.integers(1, 12),
    min_masks=st.integers(0, 3),
    equal_counts=st.booleans(),
    uniform_lengths=st.booleans(),
    may_overlap=st.booleans(),
)
row_lengths = st.lists(st.integers(0, 80), min_size=1, max_size=5)


def generators(count, step=0, seed=1):
    return [row_generator(seed, step, f"cut-{row}", "time_mask") for row in range(count)]


def draw(lengths, config, *, num_frames=None, rows=None, step=0):
    made = generators(len(lengths), step) if rows is None else rows
    return time_mask(np.array(lengths), num_frames or max(lengths), config, made)


def test_masks_equal_the_original_ones(golden):
    case = golden / "preprocess" / "mask_indices"
    if not case.parent.is_dir():
        pytest.skip("this golden directory has no preprocess folder")
    tensors, meta = load_file(case / "io.safetensors"), json.loads((case / "meta.json").read_text())
    assert meta["settings"]
    for key, setting in meta["settings"].items():
        assert setting["mask_type"] in ("static", "uniform")
        config = SpanMasking(
            probability=setting["mask_prob"],
            length=setting["mask_length"],
            min_masks=setting["min_masks"],
            uniform_lengths=setting["mask_type"] == "uniform",
            may_overlap=not setting["no_overlap"],
            min_space=setting["min_space"],
        )
        lengths = (~tensors["in.padding_mask"]).sum(axis=1) if setting["padding"] else None
        state = np.random.RandomState(setting["np_random_seed"])
        mask = published_mask(*setting["shape"], config, state, lengths)
        np.testing.assert_array_equal(mask, tensors[f"out.fairseq_{key}"].astype(bool), err_msg=key)


@settings(deadline=None, max_examples=150)
@given(lengths=row_lengths, config=maskings, padding=st.integers(0, 9))
def test_only_valid_frames_are_masked(lengths, config, padding):
    num_frames = max(lengths) + padding
    mask = time_mask(np.array(lengths), num_frames, config, generators(len(lengths)))
    assert mask.shape == (len(lengths), num_frames)
    for row, length in enumerate(lengths):
        assert not mask[row, length:].any()
    if config.equal_counts:
        assert len(set(mask.sum(axis=1))) == 1


@settings(deadline=None, max_examples=100)
@given(lengths=row_lengths, config=maskings, padding=st.integers(0, 9), data=st.data())
def test_a_row_does_not_depend_on_the_others(lengths, config, padding, data):
    config = SpanMasking(**{**vars(config), "equal_counts": False})
    num_frames = max(lengths) + padding
    together = time_mask(np.array(lengths), num_frames, config, generators(len(lengths)))
    row = data.draw(st.integers(0, len(lengths) - 1))
    alone = time_mask(np.array(lengths[row : row + 1]), lengths[row], config, [generators(len(lengths))[row]])
    np.testing.assert_array_equal(together[row, : lengths[row]], alone[0])


@settings(deadline=None, max_examples=50)
@given(size=st.integers(60, 200), length=st.integers(2, 8), seed=st.integers(0, 99))
def test_spans_that_may_not_overlap_keep_their_space(size, length, seed):
    config = SpanMasking(probability=0.5, length=length, may_overlap=False, equal_counts=False)
    mask = time_mask(np.array([size]), size, config, generators(1, step=seed))[0]
    edges = np.flatnonzero(np.diff(np.concatenate([[0], mask.astype(int), [0]])))
    assert set(edges[1::2] - edges[::2]) == {length}


def test_the_share_of_masked_frames_is_the_published_one():
    config = SpanMasking(equal_counts=False)
    shares = [draw([500], config, step=step).mean() for step in range(60)]
    # 40 spans of 10 in 500 frames: a frame stays unmasked with probability (1 - 10/490)^40, about 0.44
    assert 0.53 < np.mean(shares) < 0.60


def test_short_rows_still_have_a_mask():
    for length in range(2, 15):
        for step in range(20):
            assert draw([length], SpanMasking(equal_counts=False), step=step).any(), length


def test_channels_need_no_span():
    config = SpanMasking(probability=0.5, length=64, min_masks=0)
    masks = [channel_mask(32, config, generators(2, step=step)) for step in range(40)]
    assert {mask.shape for mask in masks} == {(2, 32)}
    assert any(mask.any() for mask in masks)
    assert any(not mask.any() for mask in masks)


def test_generators_differ_in_seed_step_cut_and_purpose():
    base = (1, 2, "a", "time_mask")
    others = [(2, 2, "a", "time_mask"), (1, 3, "a", "time_mask"), (1, 2, "b", "time_mask"), (1, 2, "a", "crop")]
    assert row_generator(*base).randint(1 << 30) == row_generator(*base).randint(1 << 30)
    assert len({row_generator(*key).randint(1 << 30) for key in [base, *others]}) == 5
    assert len({derived_seed(*key) for key in [base, *others]}) == 5
    assert derived_seed(12, 3, "a", "b") != derived_seed(1, 23, "a", "b")
    # Frozen numbers: a change here makes runs unrepeatable.
    assert derived_seed(*base) == FROZEN_SEED
    assert row_generator(*base).randint(1 << 30) == FROZEN_DRAW


@settings(deadline=None, max_examples=50)
@given(num_frames=st.integers(0, 300), probability=st.floats(0, 1), step=st.integers(0, 9))
def test_codebook_positions_are_as_many_as_asked(num_frames, probability, step):
    positions = codebook_positions(num_frames, probability, row_generator(0, step, "", "codebook"))
    assert positions.shape == (num_frames,)
    assert positions.sum() == int(num_frames * probability)


def test_codebook_positions_vary():
    drawn = {codebook_positions(40, 0.5, row_generator(0, step, "", "codebook")).tobytes() for step in range(10)}
    assert len(drawn) == 10
