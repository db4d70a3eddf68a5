from dataclasses import replace

import pytest
import torch
from torch.nn import functional as F

import tiny
from objectives.batches import unit_batch
from sprachbund.errors import RecipeError
from sprachbund.lengths import frames_from_samples
from sprachbund.objectives.masked_units import (
    encode_masked,
    frame_labels,
    labelled_frames,
    require_unit_prediction,
    unit_targets,
    unit_terms,
)

RATES = {50.0: 1, 100.0: 2}


@pytest.mark.parametrize("rate", RATES)
def test_a_frame_takes_the_label_at_its_time(rate: float) -> None:
    batch = unit_batch(labels_per_frame=RATES[rate])
    targets = unit_targets(tiny.hubert_model(unit_rate=rate), batch)
    assert torch.equal(targets.units, batch.units[:, :: RATES[rate]])


@pytest.mark.parametrize("rate", RATES)
def test_each_valid_frame_is_judged_once(rate: float) -> None:
    batch = unit_batch(labels_per_frame=RATES[rate])
    targets = unit_targets(tiny.hubert_model(unit_rate=rate), batch)
    assert torch.equal(targets.masked, batch.time_mask)
    assert not (targets.masked & targets.unmasked).any()
    frames = [frames_from_samples(int(length)) for length in batch.waveform_lengths]
    assert (targets.masked | targets.unmasked).sum(dim=1).tolist() == frames
    assert targets.num_cells == 16 * sum(frames)


def test_frames_without_a_label_are_not_judged() -> None:
    batch = unit_batch()
    model = tiny.hubert_model()
    holes = batch.units.clone()
    holes[0, 6] = holes[1, 4] = 1
    found, whole = unit_targets(model, replace(batch, units=holes)), unit_targets(model, batch)
    missing = (whole.masked | whole.unmasked) & ~(found.masked | found.unmasked)
    assert missing.nonzero().tolist() == [[0, 3], [1, 2]]
    # Labels that end early leave the rest of the frames out, and the penalty as it is.
    short = unit_targets(model, replace(batch, units=batch.units[:, :9]))
    assert not (short.masked | short.unmasked)[:, 5:].any()
    assert short.num_cells == whole.num_cells


def test_terms_are_the_cross_entropy_of_their_frames() -> None:
    model, batch = tiny.hubert_model(), unit_batch()
    targets = unit_targets(model, batch)
    states = encode_masked(model, batch, targets, with_energy=False).states
    terms, figures = unit_terms(model.unit_logits, states, targets, {"masked": 2.0, "unmasked": 0.5})
    for term, name, chosen in zip(terms, ("masked", "unmasked"), (targets.masked, targets.unmasked), strict=True):
        logits = torch.stack([model.unit_logits(states[row, frame]) for row, frame in chosen.nonzero().tolist()])
        wanted = torch.stack([batch.units[row, 2 * frame] for row, frame in chosen.nonzero().tolist()])
        assert (term.name, term.count) == (f"{name}_units", len(wanted))
        torch.testing.assert_close(term.sum, F.cross_entropy(logits, wanted, reduction="sum"))
        assert figures[f"{name}_accuracy"] == ((logits.argmax(1) == wanted).sum(), len(wanted))
    assert [term.weight for term in terms] == [2.0, 0.5]


def test_a_weight_of_zero_leaves_the_accuracy_alone() -> None:
    model, batch = tiny.hubert_model(), unit_batch()
    targets = unit_targets(model, batch)
    states = encode_masked(model, batch, targets, with_energy=False).states
    terms, figures = unit_terms(model.unit_logits, states, targets, {"masked": 1.0, "unmasked": 0.0})
    assert [term.name for term in terms] == ["masked_units"]
    assert set(figures) == {"masked_accuracy", "unmasked_accuracy"}
    assert not figures["unmasked_accuracy"][0].requires_grad


def test_masks_reach_the_encoder() -> None:
    model, batch = tiny.hubert_model(), unit_batch()
    targets = unit_targets(model, batch)
    encoded = encode_masked(model, batch, targets, with_energy=True)
    expected = model.encode_speech(
        batch.waveforms, batch.waveform_lengths, time_mask=batch.time_mask, channel_mask=batch.channel_mask
    )
    torch.testing.assert_close(encoded.states, expected.states)
    assert encoded.energy is not None
    bare = replace(batch, time_mask=torch.zeros_like(batch.time_mask), channel_mask=None)
    assert (encode_masked(model, bare, targets, with_energy=False).states - expected.states).abs().max() > 1e-3


def test_original_numerics_cut_the_batch_to_its_labels() -> None:
    batch = unit_batch()
    batch = replace(batch, units=batch.units[:, :15])
    model = tiny.hubert_model(original_numerics=True)
    assert labelled_frames(model.config, batch) == 7
    assert labelled_frames(tiny.hubert_config(), batch) is None
    targets = unit_targets(model, batch)
    assert targets.units.shape == (3, 7)
    assert targets.num_cells == 3 * 7 * 16
    assert encode_masked(model, batch, targets, with_energy=False).states.shape[1] == 7


def test_a_model_without_the_head_is_refused() -> None:
    require_unit_prediction(tiny.hubert_model())
    with pytest.raises(RecipeError, match="does not predict any"):
        require_unit_prediction(tiny.hubert_model(num_units=None))


@pytest.mark.parametrize("step", [1, 2, 4])
def test_labels_of_frames_may_be_any_of_their_own(step: int) -> None:
    labels = torch.arange(4, 4 + 5 * step)[None]
    for offset in range(step):
        assert torch.equal(frame_labels(labels, 5, float(step), offset), labels[:, offset::step])
    assert frame_labels(labels, 7, float(step)).tolist() == [[*labels[0, ::step].tolist(), 1, 1]]
