import math
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch.nn import functional as F

from models.speech_units.sizes import DECODER, KINDS, STACK, build
from objectives.batches import joint_batches, padding
from objectives.laws import assert_rows_add_up
from sprachbund.errors import DataError, RecipeError
from sprachbund.models.speech_units.model import SpeechUnitModel
from sprachbund.objectives.loss import Loss
from sprachbund.objectives.unit_pretraining import UnitPretraining, UnitPretrainingConfig

ALL = UnitPretrainingConfig(unmasked_weight=0.5, distance_weight=2.0)
TERMS = {
    "speech/middle_units": 1.0,
    "speech/middle_unmasked_units": 0.5,
    "speech/top_units": 1.0,
    "speech/top_unmasked_units": 0.5,
    "speech/feature_penalty": 10.0,
    "speech/distance": 2.0,
    "paired/ctc": 0.1,
    "paired/decoder": 0.1,
    "units/masked_units": 0.5,
}


def quiet(kind: str = "speechut", **changes: Any) -> SpeechUnitModel:
    """A model without anything random in training."""
    stacks = {
        name: replace(stack, dropout=0.0, attention_dropout=0.0)
        for name, stack in {"encoder": STACK, "unit_encoder": STACK, "decoder": DECODER, **KINDS[kind][1]}.items()
        if name in ("encoder", "unit_encoder", "decoder")
    }
    return build(kind, **{**stacks, "dropout": 0.0, "ctc_dropout": 0.0, **changes}).train()


def sums(loss: Loss) -> dict[str, float]:
    return {term.name: term.sum.item() for term in loss.terms}


@pytest.mark.parametrize("kind", ["speechut", "speechlm_large"])
@pytest.mark.parametrize("choices", [{}, {"mix_predicted": True, "remask": True}], ids=["plain", "predicted"])
def test_rows_alone_add_up_to_the_batch(kind: str, choices: dict[str, Any]) -> None:
    model = quiet(kind)
    objective = UnitPretraining(model, replace(ALL, **choices))
    batches = joint_batches()
    assert {term.name: term.weight for term in objective(batches).terms} == pytest.approx(TERMS)
    assert_rows_add_up(objective, model, batches)


def test_each_term_is_what_it_says() -> None:
    """The terms written out from the verbs of the model."""
    model, batches = quiet("speechlm"), joint_batches()
    found = sums(UnitPretraining(model, ALL)(batches))
    speech, paired, alone = batches["speech"], batches["paired"], batches["units"]
    states = model.speech_states(
        speech.waveforms, speech.waveform_lengths, time_mask=speech.time_mask, channel_mask=speech.channel_mask
    )
    mixed = model.mix_units(states, speech.units, speech.mix_mask, time_mask=speech.time_mask)
    top = model.encode_states(mixed.states, states.padding_mask)
    masked = speech.time_mask
    middle = F.cross_entropy(model.unit_logits(states.states[masked]), speech.units[masked], reduction="sum")
    assert found["speech/middle_units"] == pytest.approx(middle.item(), rel=1e-5)
    last = F.cross_entropy(model.top_unit_logits(top[masked]), speech.units[masked], reduction="sum")
    assert found["speech/top_units"] == pytest.approx(last.item(), rel=1e-5)
    heard = ~masked & ~states.padding_mask
    other = F.cross_entropy(model.top_unit_logits(top[heard]), speech.units[heard], reduction="sum")
    assert found["speech/top_unmasked_units"] == pytest.approx(other.item(), rel=1e-5)
    encoded = model.encode_units(paired.units, paired.unit_lengths, unit_mask=paired.unit_mask)
    smoothed = 0.0
    logits = model.decode_text(paired.decoder_input, encoded).log_softmax(dim=2)
    for row, length in enumerate(paired.target_lengths.tolist()):
        for place in range(length):
            line = logits[row, place]
            share = 0.1 / (len(line) - 1)
            smoothed -= ((0.9 - share) * line[paired.targets[row, place]] + share * line.sum()).item()
    assert found["paired/decoder"] == pytest.approx(smoothed, rel=1e-4)
    read = model.encode_units(alone.units, alone.unit_lengths, unit_mask=alone.unit_mask).states
    told = F.cross_entropy(model.top_unit_logits(read[alone.unit_mask]), alone.units[alone.unit_mask], reduction="sum")
    assert found["units/masked_units"] == pytest.approx(told.item(), rel=1e-5)


@pytest.mark.parametrize("offset", [0, 1])
def test_with_two_labels_a_frame_the_drawn_one_is_told(offset: int) -> None:
    model = quiet(unit_rate=100.0)
    batch = replace(joint_batches(labels_per_frame=2)["speech"], label_offset=offset)
    found = sums(UnitPretraining(model, UnitPretrainingConfig())({"speech": batch}))
    chosen = replace(batch, units=batch.units[:, offset::2].repeat_interleave(2, dim=1), label_offset=0)
    assert found == pytest.approx(sums(UnitPretraining(model, UnitPretrainingConfig())({"speech": chosen})))


def test_the_top_may_tell_other_labels() -> None:
    model, batch = quiet("speechlm_two_labels"), joint_batches()["speech"]
    own = replace(batch, top_units=4 + (batch.units - 4).clamp(min=0) % 7)
    objective = UnitPretraining(model, UnitPretrainingConfig())
    found, plain = sums(objective({"speech": own})), sums(objective({"speech": replace(own, mix_mask=None)}))
    assert found["speech/middle_units"] == pytest.approx(plain["speech/middle_units"])
    other = sums(objective({"speech": replace(own, top_units=torch.full_like(own.units, 5))}))
    assert other["speech/top_units"] != pytest.approx(found["speech/top_units"])
    assert other["speech/middle_units"] == pytest.approx(found["speech/middle_units"])


def test_a_weight_of_0_removes_its_term_and_what_only_it_needs() -> None:
    model, batches = quiet("speechlm"), joint_batches()
    config = UnitPretrainingConfig(decoder_weight=0.0, masked_unit_weight=0.0, feature_penalty_weight=0.0)
    loss = UnitPretraining(model, config)(batches)
    assert set(sums(loss)) == {"speech/middle_units", "speech/top_units", "paired/ctc"}
    assert UnitPretraining(model, config).counts(batches).keys() == sums(loss).keys()


def test_pairs_that_ctc_cannot_align_are_told() -> None:
    model, batch = quiet(), joint_batches()["paired"]
    short = replace(batch, unit_lengths=torch.tensor([12, 2, 3]), units=batch.units.masked_fill(padding([12, 2, 3]), 1))
    loss = UnitPretraining(model, UnitPretrainingConfig())({"paired": short})
    # Three letters of two units.
    assert tuple(map(float, loss.figures["paired/impossible"])) == (1.0, 3.0)
    assert all(math.isfinite(value) for value in sums(loss).values())


@pytest.mark.parametrize(
    ("weight", "changes", "part"),
    [
        ("decoder_weight", {}, "text decoder"),
        ("ctc_weight", {"has_ctc_head": False}, "CTC head"),
    ],
)
def test_a_model_without_a_part_is_refused(weight: str, changes: dict[str, Any], part: str) -> None:
    nothing = dict.fromkeys(("middle_weight", "top_weight", "ctc_weight", "decoder_weight"), 0.0)
    config = UnitPretrainingConfig(**{**nothing, weight: 0.3})
    with pytest.raises(RecipeError, match=rf"the model has no {part}.*{weight}: 0.3"):
        UnitPretraining(build("speechlm", **changes), config)


def test_a_model_without_units_is_refused_whatever_the_weights() -> None:
    nothing = dict.fromkeys(("middle_weight", "top_weight", "ctc_weight", "decoder_weight", "masked_unit_weight"), 0.0)
    with pytest.raises(RecipeError, match=r"the model knows no units.*num_units: None"):
        UnitPretraining(build("speechlm", num_units=None), UnitPretrainingConfig(**nothing))


@pytest.mark.parametrize(
    ("stream", "verbs", "weights"),
    [
        ("paired", ["encode_units", "ctc_logits", "decode_text"], ("ctc_weight", "decoder_weight")),
        ("paired", ["decode_text"], ("decoder_weight",)),
        ("paired", ["ctc_logits"], ("ctc_weight",)),
        ("units", ["encode_units", "top_unit_logits"], ("masked_unit_weight",)),
    ],
    ids=["pairs", "decoder", "ctc", "units"],
)
def test_what_only_a_weight_of_0_needs_is_not_computed(
    monkeypatch: pytest.MonkeyPatch, stream: str, verbs: list[str], weights: tuple[str, ...]
) -> None:
    model, batch = quiet(), joint_batches()[stream]

    def called(*_: Any, **__: Any) -> None:
        raise AssertionError("computed")

    for verb in verbs:
        monkeypatch.setattr(model, verb, called)
    objective = UnitPretraining(model, UnitPretrainingConfig(**dict.fromkeys(weights, 0.0)))
    assert sums(objective({stream: batch})).keys() == objective.counts({stream: batch}).keys()
    with pytest.raises(AssertionError, match="computed"):
        UnitPretraining(model)({stream: batch})


def test_frames_whose_units_ended_are_neither_told_nor_swapped() -> None:
    model, batch = quiet(), joint_batches()["speech"]
    short = replace(batch, units=batch.units[:, :-3], time_mask=batch.time_mask.clone(), mix_mask=batch.mix_mask)
    objective = UnitPretraining(model, UnitPretrainingConfig())
    width = short.units.shape[1]
    assert objective.counts({"speech": short})["speech/middle_units"] == float(batch.time_mask[:, :width].sum())
    assert batch.mix_mask is not None
    kept = batch.mix_mask.clone()
    kept[:, width:] = False
    assert not torch.equal(kept, batch.mix_mask)
    found, other = (sums(objective({"speech": replace(short, mix_mask=mask)})) for mask in (batch.mix_mask, kept))
    assert found == pytest.approx(other)


def test_swapped_states_reach_the_top_alone() -> None:
    model, batch = quiet(), joint_batches()["speech"]
    objective = UnitPretraining(model, UnitPretrainingConfig())
    mixed, plain = (sums(objective({"speech": replace(batch, mix_mask=mask)})) for mask in (batch.mix_mask, None))
    assert mixed["speech/middle_units"] == pytest.approx(plain["speech/middle_units"])
    assert abs(mixed["speech/top_units"] - plain["speech/top_units"]) > 1e-3 * plain["speech/top_units"]
    # A masked frame keeps the mask, whatever the second mask says.
    assert batch.mix_mask is not None
    inside = replace(batch, mix_mask=batch.mix_mask & batch.time_mask)
    assert sums(objective({"speech": inside})) == pytest.approx(plain)


def test_other_streams_are_refused() -> None:
    objective, batches = UnitPretraining(quiet()), joint_batches()
    with pytest.raises(DataError, match=r"cannot be trained on through units.*text: UnitTextBatch"):
        objective({"text": batches["paired"]})
    with pytest.raises(DataError, match="speech: UnitLinesBatch"):
        objective({"speech": batches["units"]})
    with pytest.raises(DataError, match="none is masked"):
        objective({"units": replace(batches["units"], unit_mask=None)})
