"""Our model from text to units gives the numbers that the original FastText2Unit gave."""

from collections.abc import Callable

import pytest
import torch
from safetensors.torch import load_file

from parity.harness import Case, assert_close, assert_gradients, assert_number, case_names, open_case
from sprachbund.data.batches.batch import TextToUnitBatch
from sprachbund.models.text_to_unit.keys import KEYS, PHONES, UNITS, config_from_original
from sprachbund.models.text_to_unit.model import TextToUnit
from sprachbund.models.text_to_unit.outputs import PredictedUnits
from sprachbund.nn.length_regulator import lengthen
from sprachbund.objectives.text_to_unit import UnitPrediction, UnitPredictionConfig


def build(case: Case) -> TextToUnit:
    """Our model with the case's weights: every one of them, and no other."""
    weights = load_file(case.folder / case.meta.get("state", "../state.safetensors"))
    model = TextToUnit(config_from_original(case.state["config"], len(weights[PHONES]), len(weights[UNITS])))
    renamed = KEYS.to_ours(weights)
    assert all(name.endswith("_float_tensor") for name in renamed.unused), renamed.unused
    model.load_state_dict({ours: weights[theirs] for theirs, ours in renamed.names.items()})
    return model.train(case.trains)


def predict(model: TextToUnit, case: Case, *, freely: bool = False) -> PredictedUnits:
    """With the true durations, pitches and energies of the case, or with those that are predicted."""
    given = {} if freely else {name: case.tensors.get(f"in.{name}") for name in ("durations", "pitches", "energies")}
    return model.predict_units(case["in.src_tokens"], case["in.src_lengths"], **given)


def check_forward(case: Case) -> None:
    model = build(case)
    predicted = predict(model, case)
    valid = case["in.src_tokens"] != 1
    assert_close(predicted.lengths, case["out.out_lens"], "out_lens")
    # Padding leaks in the original; what it makes of padding itself is compared too.
    assert_close(predicted.logits, case["out.logits"], "logits")
    assert_close(predicted.log_durations, case["out.log_dur"], "log_dur")
    freely = predict(model, case, freely=True)
    assert_close(freely.durations, case["out.infer_durations"], "infer_durations")
    assert_close(freely.lengths, case["out.infer_out_lens"], "infer_out_lens")
    assert_close(freely.logits, case["out.infer_logits"], "infer_logits")
    assert_close(freely.logits.argmax(dim=2), case["out.infer_units"], "infer_units")
    ramp = torch.arange(valid.numel() * 3.0).view(*valid.shape, 3)
    assert_close(lengthen(ramp, case["in.durations"]).states, case["out.length_regulated_ramp"], "ramp")


def check_loss(case: Case) -> None:
    model = build(case)
    targets = case["in.target"]
    batch = TextToUnitBatch(
        ids=tuple(str(row) for row in range(len(targets))),
        tokens=case["in.src_tokens"],
        token_lengths=case["in.src_lengths"],
        durations=case["in.durations"],
        units=targets,
        unit_lengths=case["in.target_lengths"],
        pitches=case.tensors.get("in.pitches"),
        energies=case.tensors.get("in.energies"),
    )
    differentiated = case.meta["grad_norm_of"].split()[0]
    for name, smoothing in (("ls00", 0.0), ("ls01", 0.1)):
        expected = case.under(f"loss.{name}.")
        loss = UnitPrediction(model, UnitPredictionConfig(label_smoothing=smoothing))(batch)
        shares = {term.name: term.weight * term.sum / term.count for term in loss.terms}
        assert_number(shares["units"], expected["ce_loss"].item(), f"{name} ce_loss")
        assert_number(shares["durations"], expected["dur_loss"].item(), f"{name} dur_loss")
        assert_number(loss.figures["unit_accuracy"][0], expected["n_correct"].item(), f"{name} n_correct")
        for term, key in (("pitches", "pitch_loss"), ("energies", "energy_loss")):
            assert_number(shares.get(term, 0.0), expected[key].item(), f"{name} {key}")
        total = loss.total()
        assert_number(total, expected["total"].item(), f"{name} total")
        if name == differentiated:
            assert_gradients(model, case, total, KEYS)


CHECKS: dict[str, Callable[[Case], None]] = {"forward": check_forward, "loss": check_loss}


@pytest.mark.parametrize("name", case_names("fasttext2unit"))
def test_numbers_of_the_original(name: str) -> None:
    if name not in CHECKS:
        pytest.skip(f"the package does not do what '{name}' compares yet")
    CHECKS[name](open_case("fasttext2unit", name))
