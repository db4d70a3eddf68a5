"""Our SpeechLM and SpeechUT give the numbers that the original code gave. Losses: test_unit_losses.py."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from parity.harness import PADDING, Case, assert_close, assert_number, case_names, open_case, record
from parity.speech_units import (
    build_speechlm,
    build_speechut,
    decode_one_by_one,
    frame_units,
    judge,
    speech_of,
    unit_lengths_of,
)
from sprachbund.lengths import padding_mask_from_lengths
from sprachbund.models.speech_units.model import SpeechUnitModel

BUILD: dict[str, Callable[[Case], SpeechUnitModel]] = {"speechut": build_speechut, "speechlm": build_speechlm}


def check_states(model: SpeechUnitModel, case: Case, located: Tensor, padding_mask: Tensor, prefix: str) -> None:
    """What the unit encoder's layers make of what it reads."""
    expected = case.under(prefix)
    states = model.unit_encoder.states_after([int(name) for name in expected], located, padding_mask, finishes=False)
    assert expected
    for (name, state), ours in zip(expected.items(), states, strict=True):
        assert_close(ours, state, f"{prefix}{name}", ~padding_mask)


def check_features(model: SpeechUnitModel, case: Case) -> None:
    seen: dict[str, Tensor] = {}
    record(model.speech_prenet.frontend, seen, "conv_features")
    waveforms, lengths = speech_of(case)
    encoded, speech = model.encode_speech(waveforms, lengths), model.speech_states(waveforms, lengths)
    valid = ~case["out.padding_mask"]
    assert torch.equal(encoded.padding_mask, ~valid)
    assert_close(seen["conv_features"].transpose(1, 2), case["out.conv_features"], "conv_features")
    assert_close(speech.states, case["out.speech_encoder_out"], "speech_encoder_out", valid)
    assert_close(encoded.states, case["out.features"], "features", valid)
    layers = case.under("out.speech_encoder_layer_")
    states = model.layer_states(waveforms, lengths, [int(name) for name in layers]).states
    for (name, state), ours in zip(layers.items(), states, strict=True):
        assert_close(ours, state, f"layer {name}", valid)
    located = model.unit_prenet(speech.states, ~valid)
    check_states(model, case, located, ~valid, "out.unit_encoder_state_")
    if "out.finetune_ctc_logits" in case:
        # The frame after the last one sees padding in an utterance that is not the longest.
        logits = model.ctc_logits(encoded)
        assert logits.shape == case["out.finetune_ctc_logits"].shape
        num_frames = valid.shape[1]
        expected = case["out.finetune_ctc_logits"]
        assert_close(logits[:, :num_frames], expected[:, :num_frames], "ctc_logits", valid)
        full = valid.all(dim=1)
        assert_close(logits[full], expected[full], "ctc_logits of the longest")


def check_standalone(model: SpeechUnitModel, case: Case) -> None:
    waveforms, lengths = speech_of(case)
    valid = ~case["out.padding_mask"]
    encoded = model.encode_speech(waveforms, lengths)
    assert torch.equal(encoded.padding_mask, ~valid)
    assert_close(encoded.states, case["out.features"], "features", valid)
    results = case.under("out.layer_result_")
    states = model.layer_states(waveforms, lengths, [int(name) + 1 for name in results]).states
    num_layers = model.num_layers
    for (name, state), ours in zip(results.items(), states, strict=True):
        if int(name) + 1 < num_layers or not model.unit_encoder.norm_first:
            assert_close(ours, state, f"layer {name}", valid)
    first, speech = model.layer_states(waveforms, lengths, [1, len(model.encoder.layers)]).states
    assert_close(first, case["out.features_layer1"], "features of layer 1", valid)
    # Which layer L is the case does not say: the last one of speech, or of all, with its norm or without.
    below = model.speech_states(waveforms, lengths).states
    located, count = model.unit_prenet(below, ~valid), len(model.unit_encoder.layers)
    (raw,) = model.unit_encoder.states_after([count], located, ~valid, finishes=False)
    last = case["out.features_layerL"][valid]
    known = (speech, encoded.states, raw)
    assert any(torch.allclose(ours[valid], last, atol=1e-4, rtol=1e-4) for ours in known), "the last layer"


def check_mixing(model: SpeechUnitModel, case: Case) -> None:
    waveforms, lengths = speech_of(case)
    time_mask, mix_mask, valid = case["mask.time"], case["mask.mix"], ~case["out.padding_mask"]
    num_frames = valid.shape[1]
    units = frame_units(case, "in.target_list_0", num_frames)
    speech = model.speech_states(waveforms, lengths, time_mask=time_mask, max_frames=num_frames, with_energy=True)
    assert speech.energy is not None
    cells = len(waveforms) * num_frames * model.config.conv_layers[-1][0]
    assert_number(speech.energy / cells, case.number("out.features_pen"), "features_pen")
    assert torch.equal(speech.padding_mask, ~valid)
    assert_close(speech.states, case["out.speech_encoder_out"], "speech_encoder_out", valid)
    options = {"mix": {}, "mix_pred": {"use_predicted": True}, "mix_remask": {"remask": True}}
    for name, choices in options.items():
        if f"out.{name}.embeddings" not in case:
            continue
        mixed = model.mix_units(speech, units, mix_mask, time_mask=time_mask, with_distance=True, **choices)
        assert_close(mixed.states, case[f"out.{name}.embeddings"], name, valid)
        if f"out.{name}.src_tokens" in case:
            assert_close(mixed.units, case[f"out.{name}.src_tokens"], f"{name} units", valid)
        if f"out.{name}.l2_loss" in case and case.number(f"out.{name}.l2_loss"):
            assert mixed.distance is not None
            assert_number(
                mixed.distance / int((time_mask & valid).sum()), case.number(f"out.{name}.l2_loss"), f"{name} distance"
            )
    arguments = case.state["config"]
    mixed = model.mix_units(
        speech,
        units,
        mix_mask if arguments.get("mix_with_unit", True) else None,
        time_mask=time_mask,
        use_predicted=arguments.get("use_pred_unit", False),
    )
    padding_mask = mixed.units == PADDING
    encoded = model.encode_states(mixed.states, padding_mask)
    assert_close(encoded, case["out.unit_encoder_out"], "unit_encoder_out", ~padding_mask & valid)
    check_judged(model, case, speech.states, encoded, valid)


def check_judged(model: SpeechUnitModel, case: Case, middle: Tensor, top: Tensor, valid: Tensor) -> None:
    time_mask = case["mask.time"]
    for kind, chosen in (("m", valid & time_mask), ("u", valid & ~time_mask)):
        for level, states in enumerate((middle, top)):
            logits = judge(model, states, chosen, top=bool(level))
            assert_close(logits, case[f"out.logit_{kind}_{level}"], f"logit_{kind}_{level}")
            name = "in.target_list_1" if level and "in.target_list_1" in case else "in.target_list_0"
            targets = frame_units(case, name, valid.shape[1])[chosen]
            assert_close(targets, case[f"out.target_{kind}_{level}"], f"target_{kind}_{level}")


def check_units(model: SpeechUnitModel, case: Case) -> None:
    """Units alone: masked where the case says so, and plain."""
    units = case["in.src_tokens"]
    lengths = unit_lengths_of(units)
    padding_mask = padding_mask_from_lengths(lengths, units.shape[1])
    mask = case.tensors.get("mask.unit")
    encoded = model.encode_units(units, lengths, unit_mask=mask)
    if "out.encoder_out" in case:
        assert_close(encoded.states, case["out.encoder_out"], "encoder_out", ~padding_mask)
    if "out.ctc_logits" in case:
        logits, expected = model.ctc_logits(encoded), case["out.ctc_logits"]
        assert logits.shape == expected.shape
        assert torch.equal(padding_mask, case["out.ctc_padding_mask"])
        assert_close(logits[:, : units.shape[1]], expected[:, : units.shape[1]], "ctc_logits", ~padding_mask)
    if "out.unmasked_encoder_state_0" in case:
        located = model.unit_prenet(model.unit_prenet.embed(units), padding_mask)
        check_states(model, case, located, padding_mask, "out.unmasked_encoder_state_")
    if "out.decoder_logits" in case:
        tokens = case["in.prev_output_tokens"]
        said = tokens != PADDING
        assert_close(model.decode_text(tokens, encoded), case["out.decoder_logits"], "decoder_logits", said)
        plain = model.encode_units(units, lengths)
        full = case["out.decoder_logits_full_unmasked"]
        assert_close(model.decode_text(tokens, plain), full, "unmasked", said)
        steps = decode_one_by_one(model, tokens, plain)
        assert_close(steps, case["out.decoder_logits_incremental_unmasked"], "incremental", said)
    if "out.logit_m_0" in case:
        assert mask is not None
        for kind, chosen in (("m", mask & ~padding_mask), ("u", ~mask & ~padding_mask)):
            logits = judge(model, encoded.states, chosen, top=True)
            assert_close(logits, case[f"out.logit_{kind}_0"], f"logit_{kind}_0")
            assert_close(units[chosen], case[f"out.target_{kind}_0"], f"target_{kind}_0")


CHECKS: dict[str, Callable[[SpeechUnitModel, Case], None]] = {
    "extract_features": check_features,
    "standalone_features": check_standalone,
    "speech_pretrain_forward": check_mixing,
    "mum_forward": check_units,
    "u2t_forward": check_units,
    "text_forward": check_units,
}
ELSEWHERE = {  # test_unit_losses.py, test_joint_decoding.py, test_translation.py
    "aligned_targets_100hz",
    "finetune_asr",
    "finetune_asr_train",
    "finetune_ctc",
    "finetune_ctc_train",
    "finetune_st",
    "joint_decoding",
    "joint_decoding_lm",
    "joint_loss",
    "joint_loss_train",
}
CASES = [
    pytest.param(family, name, id=f"{family}-{name}")
    for family in BUILD
    for name in case_names(family)
    if name not in ELSEWHERE
]


@pytest.mark.parametrize(("family", "name"), CASES)
@torch.no_grad()
def test_numbers_of_the_original(family: str, name: str) -> None:
    case = open_case(family, name)
    CHECKS[name](BUILD[family](case), case)
