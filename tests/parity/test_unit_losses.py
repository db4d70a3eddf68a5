"""Losses of our SpeechLM and SpeechUT, and their gradients, are those of the original code."""

import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from parity.harness import (
    PADDING,
    Case,
    assert_close,
    assert_gradients,
    assert_number,
    case_names,
    lengths_of,
    open_case,
)
from parity.speech_units import build_speechlm, build_speechut, decode_one_by_one, speech_of, unit_lengths_of
from sprachbund.checkpoints.key_table import KeyTable, Renamed
from sprachbund.data.batches.batch import Batch, MixedUnitBatch, TranscribedBatch
from sprachbund.data.batches.unit_text import UnitLinesBatch, UnitTextBatch
from sprachbund.models.speech_units.model import SpeechUnitModel
from sprachbund.models.speechlm import keys as speechlm_keys
from sprachbund.models.speechlm.model import SpeechLM
from sprachbund.models.speechut import keys as speechut_keys
from sprachbund.objectives.loss import Loss
from sprachbund.objectives.masked_units import frame_labels
from sprachbund.objectives.recognition import Recognition, RecognitionConfig
from sprachbund.objectives.text import token_cross_entropy
from sprachbund.objectives.unit_pretraining import UnitPretraining, UnitPretrainingConfig

BUILD: dict[str, Callable[[Case], SpeechUnitModel]] = {"speechut": build_speechut, "speechlm": build_speechlm}
KEYS: dict[str, Any] = {"speechut": speechut_keys, "speechlm": speechlm_keys}


class Prefixed(KeyTable):
    """A table for names with something before them, and copies that stand for what they were copied from."""

    def __init__(self, table: KeyTable, prefix: str) -> None:
        self.table, self.prefix = table, prefix

    def to_ours(self, names: Any) -> Renamed:
        plain = {name: name.removeprefix(self.prefix) for name in names}
        found = self.table.to_ours(plain.values())
        return Renamed({name: found.names[short] for name, short in plain.items()}, found.unused)


def ids_of(rows: Tensor) -> tuple[str, ...]:
    return tuple(str(row) for row in range(len(rows)))


def joint_batches(case: Case, *, with_units: bool) -> dict[str, Batch]:
    waveforms, lengths = speech_of(case)
    units, targets = case["in.unit_src_tokens"], case["in.target"]
    unit_lengths = unit_lengths_of(units)
    batches: dict[str, Batch] = {
        "speech": MixedUnitBatch(
            ids=ids_of(waveforms),
            waveforms=waveforms,
            waveform_lengths=lengths,
            time_mask=case["mask.time"],
            units=case["in.target_list_0"],
            mix_mask=case.tensors.get("mask.mix"),
            top_units=case.tensors.get("in.target_list_1"),
        ),
        "paired": UnitTextBatch(
            ids=ids_of(units),
            units=units,
            unit_lengths=unit_lengths,
            decoder_input=case.tensors.get("in.prev_output_tokens", targets),
            targets=targets,
            target_lengths=(targets != PADDING).sum(dim=1),
            unit_mask=case.tensors.get("mask.unit"),
        ),
    }
    if with_units:
        mask = case["mask.mum"]
        batches["units"] = UnitLinesBatch(ids=ids_of(units), units=units, unit_lengths=unit_lengths, unit_mask=mask)
    return batches


def config_of(case: Case) -> UnitPretrainingConfig:
    criterion, arguments = case.meta["criterion"], case.state["config"]
    penalty = criterion["loss_weights"][0]
    has_distance = arguments.get("l2_embedding", False)
    return UnitPretrainingConfig(
        middle_weight=criterion.get("pred_masked_weight", 1.0),
        top_weight=criterion.get("pred_masked_weight", 1.0),
        unmasked_weight=criterion.get("pred_nomask_weight", 0.0),
        feature_penalty_weight=penalty,
        # One weight serves all extra losses.
        distance_weight=(criterion["loss_weights"] * 2)[1] if has_distance else 0.0,
        mix_predicted=arguments.get("use_pred_unit", False),
        remask=arguments.get("remask", False),
        ctc_weight=criterion.get("u2t_ctc_weight", criterion.get("text_ctc_weight", 0.0)),
        decoder_weight=criterion.get("u2t_ed_weight", 0.0),
        label_smoothing=criterion.get("label_smoothing", 0.0),
        masked_unit_weight=criterion.get("text_mum_weight", 0.0),
    )


def check_joint_loss(family: str, case: Case) -> None:
    model, config = BUILD[family](case), config_of(case)
    objective = UnitPretraining(model, config)
    batches = joint_batches(case, with_units=bool(config.masked_unit_weight))
    loss = objective(batches)
    assert {term.name: term.count for term in loss.terms} == objective.counts(batches)
    num_masked = case.number("loss.sample_size")
    compare_parts(loss, case)
    # The original multiplies what ours divides by: every other term is brought to the masked frames.
    total = loss.total() * num_masked
    assert_number(total, case.number("loss.total"), "total")
    assert_gradients(model, case, total, KEYS[family].key_table(model.config))


def compare_parts(loss: Loss, case: Case) -> None:
    """The figures that the original logs, as far as they have a counterpart."""
    sums = {term.name: (term.sum, term.count) for term in loss.terms}
    for level, place in enumerate(("middle", "top")):
        assert sums[f"speech/{place}_units"][1] == case.number("loss.sample_size")
        assert_number(sums[f"speech/{place}_units"][0], case.number(f"loss.loss_m_{level}"), place)
        for kind in ("masked", "unmasked"):
            correct, count = loss.figures[f"speech/{place}_{kind}_accuracy"]
            assert float(count) == case.number(f"loss.count_{kind[0]}_{level}")
            assert float(correct) == case.number(f"loss.correct_{kind[0]}_{level}")


def told(case: Case, name: str, usual: float) -> float:
    """A setting of the criterion, which stands in the title of the case."""
    found = re.search(rf"{name} ([0-9.]+)", case.meta["original"])
    return float(found.group(1)) if found else usual


def check_finetune(family: str, case: Case) -> None:
    model = BUILD[family](case)
    targets = case.tensors.get("in.decoder_target", case.tensors.get("in.target"))
    assert targets is not None
    batch = TranscribedBatch(
        ids=ids_of(targets),
        waveforms=case["in.source"],
        waveform_lengths=lengths_of(case["in.padding_mask"]),
        time_mask=case.tensors.get("mask.time"),
        channel_mask=case.tensors.get("mask.channel"),
        decoder_input=case.tensors.get("in.prev_output_tokens", targets),
        targets=targets,
        target_lengths=(targets != PADDING).sum(dim=1),
    )
    is_hybrid = "loss.dec_loss" in case
    weight = told(case, "dec_weight", 0.5) if is_hybrid else 0.0
    config = RecognitionConfig(
        decoder_weight=weight,
        ctc_weight=1.0 - weight,
        label_smoothing=told(case, "label_smoothing", 0.1),
        normalize_by="sentences" if "sentence_avg" in case.meta["original"] else "tokens",
    )
    objective = Recognition(model, config)
    encoded = model.encode_speech(
        batch.waveforms, batch.waveform_lengths, time_mask=batch.time_mask, channel_mask=batch.channel_mask
    )
    valid = ~case.tensors.get("out.ctc_padding_mask", case.tensors.get("out.padding_mask"))
    assert torch.equal(encoded.padding_mask, ~valid)
    num_frames = valid.shape[1]
    logits = model.ctc_logits(encoded)
    assert_close(logits[:, :num_frames], case["out.ctc_logits"][:, :num_frames], "ctc_logits", valid)
    loss = objective(batch)
    sums = {term.name: term.sum for term in loss.terms}
    if is_hybrid:
        decoded = model.decode_text(batch.decoder_input, encoded)
        assert_close(decoded, case["out.decoder_logits"], "decoder_logits", batch.decoder_input != PADDING)
        assert_number(sums["ctc"], case.number("loss.ctc_loss"), "ctc")
        assert_number(sums["decoder"], case.number("loss.dec_loss"), "decoder")
    total = loss.total(dict.fromkeys(("decoder", "ctc"), 1.0))
    assert_number(total, case.number("loss.total"), "total")
    assert all(term.count == case.number("loss.sample_size") for term in loss.terms)
    table = Prefixed(KEYS[family].key_table(model.config), case.meta["key_prefix"].split()[0])
    assert_gradients(model, case, total, table)


def check_translation(_: str, case: Case) -> None:
    """A decoder on top of SpeechLM, with weights of its own."""
    state = case.state
    decoder_file = case.folder / case.meta["decoder_state"]
    arguments = decoder_arguments(decoder_file)
    weights = load_file(case.folder / case.meta["state"])
    sizes = [len(dictionary) for dictionary in state["unit_dictionaries"]]
    config = speechlm_keys.config_from_original(
        state["config"],
        len(state["text_dictionary"]),
        sizes[0],
        num_top_units=sizes[1] if len(sizes) > 1 else None,
        decoder=arguments,
    )
    model = SpeechLM(replace(config, ctc_dropout=0.0))
    named = {f"decoder.{name}": weight for name, weight in load_file(decoder_file).items()}
    model.load_state_dict(speechlm_keys.to_ours({**weights, **named}, config), strict=True)
    model.eval()
    waveforms, lengths = speech_of(case)
    with torch.no_grad():
        encoded = model.encode_speech(waveforms, lengths)
    assert_close(encoded.states, case["out.encoder_out"], "encoder_out", ~case["out.padding_mask"])
    tokens = case["in.prev_output_tokens"]
    said = tokens != PADDING
    logits = model.decode_text(tokens, encoded)
    assert_close(logits, case["out.decoder_logits"], "decoder_logits", said)
    with torch.no_grad():
        steps = decode_one_by_one(model, tokens, encoded)
    assert_close(steps, case["out.decoder_logits_incremental"], "incremental", said)
    loss = token_cross_entropy(logits, case["in.target"], 0.2)
    assert_number(loss.smoothed, case.number("loss.ls02_total"), "total")
    assert_number(token_cross_entropy(logits, case["in.target"]).smoothed, case.number("loss.nll"), "nll")
    case.meta.setdefault("grad_none", [])
    assert_gradients(model, case, loss.smoothed, Shortened(speechlm_keys.key_table(model.config), "decoder."))


class Shortened(Prefixed):
    """A table for names that lack what stands before them elsewhere."""

    def to_ours(self, names: Any) -> Renamed:
        full = {name: self.prefix + name for name in names}
        found = self.table.to_ours(full.values())
        return Renamed({name: found.names[long] for name, long in full.items()}, found.unused)


def decoder_arguments(weights: Path) -> dict[str, Any]:
    return dict(json.loads(weights.with_suffix(".json").read_text("utf-8"))["config"])


def check_targets(_: str, case: Case) -> None:
    labels = case["in.labels"]
    for offset in (0, 1):
        num_frames = int(case.number(f"out.offset{offset}_frames"))
        expected = case[f"out.offset{offset}_targets"]
        assert min(int(case.number("in.num_frames")), labels.shape[1] // 2) == num_frames == expected.shape[1]
        assert torch.equal(frame_labels(labels, num_frames, 2.0, offset), expected)


CHECKS: dict[str, Callable[[str, Case], None]] = {
    "joint_loss": check_joint_loss,
    "joint_loss_train": check_joint_loss,
    "finetune_asr": check_finetune,
    "finetune_asr_train": check_finetune,
    "finetune_ctc": check_finetune,
    "finetune_ctc_train": check_finetune,
    "finetune_st": check_translation,
    "aligned_targets_100hz": check_targets,
}
CASES = [
    pytest.param(family, name, id=f"{family}-{name}")
    for family in BUILD
    for name in case_names(family)
    if name in CHECKS
]


@pytest.mark.parametrize(("family", "name"), CASES)
def test_numbers_of_the_original(family: str, name: str) -> None:
    CHECKS[name](family, open_case(family, name))
