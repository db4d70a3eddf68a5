"""Our SpeechT5 gives the numbers that the original code gave."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from parity.harness import (
    PADDING,
    Case,
    assert_close,
    assert_gradients,
    assert_number,
    build_speecht5,
    case_names,
    encode,
    lengths_of,
    open_case,
    record,
)
from parity.pretraining import check_codebook, check_speech_pretrain, check_text_pretrain
from parity.spectrograms import check_spectrogram_forward
from sprachbund.data.batches.batch import TranscribedBatch
from sprachbund.models.speecht5.model import SpeechT5
from sprachbund.objectives.loss import Loss
from sprachbund.objectives.recognition import Recognition, RecognitionConfig
from sprachbund.objectives.text import token_cross_entropy


def transcribed(case: Case) -> TranscribedBatch:
    targets = case["in.target"]
    return TranscribedBatch(
        ids=tuple(str(row) for row in range(len(targets))),
        waveforms=case["in.source"],
        waveform_lengths=lengths_of(case["in.padding_mask"]),
        time_mask=case.tensors.get("mask.time"),
        channel_mask=case.tensors.get("mask.channel"),
        decoder_input=case["in.prev_output_tokens"],
        targets=targets,
        target_lengths=case["in.target_lengths"],
    )


def recognition_loss(model: SpeechT5, case: Case, arguments: dict[str, Any]) -> tuple[Loss, Tensor]:
    """The loss, and the total as the original returns it: not divided, and a lone term without its weight."""
    ce, ctc = arguments["ce_weight"], arguments["ctc_weight"]
    if not (ce and ctc):
        ce, ctc = float(bool(ce)), float(bool(ctc))
    config = RecognitionConfig(
        decoder_weight=ce,
        ctc_weight=ctc,
        label_smoothing=arguments["label_smoothing"],
        normalize_by="sentences" if arguments["sentence_avg"] else "tokens",
        zero_infinity=case.meta.get("zero_infinity", True),
        blank=case.meta.get("blank"),
    )
    loss = Recognition(model, config)(transcribed(case))
    return loss, loss.total(dict.fromkeys(("decoder", "ctc"), 1.0))


def check_s2t_forward(case: Case) -> None:
    model = build_speecht5(case)
    seen: dict[str, Tensor] = {}
    record(model.speech_prenet.frontend, seen, "conv_features")
    record(model.text_decoder_prenet, seen, "decoder_prenet")
    model.encoder.layers[0].register_forward_pre_hook(lambda module, inputs: seen.__setitem__("state_0", inputs[0]))
    for index, layer in enumerate(model.encoder.layers):
        record(layer, seen, f"state_{index + 1}")
    model.encoder.register_forward_pre_hook(lambda module, inputs: seen.__setitem__("prenet", inputs[0]))
    encoded = encode(model, case)
    padding_mask = case["out.encoder_padding_mask"]
    assert torch.equal(encoded.padding_mask, padding_mask)
    assert_close(seen["conv_features"].transpose(1, 2), case["out.conv_features"], "conv_features")
    assert_close(seen["prenet"], case["out.speech_encoder_prenet"], "prenet", ~padding_mask)
    for name, state in case.under("out.encoder_state_").items():
        assert_close(seen[f"state_{name}"], state, f"state_{name}", ~padding_mask)
    assert_close(seen["state_1"], case["out.encoder_out_layer0"], "layer0", ~padding_mask)
    assert_close(encoded.states, case["out.encoder_out"], "encoder_out", ~padding_mask)
    assert_close(model.ctc_logits(encoded), case["out.ctc_logits"], "ctc_logits", ~padding_mask)
    tokens = case["in.prev_output_tokens"]
    logits = model.decode_text(tokens, encoded)
    assert_close(logits, case["out.decoder_logits"], "decoder_logits", tokens != PADDING)


def check_s2t_loss(case: Case) -> None:
    model = build_speecht5(case)
    differentiated = case.meta["grad_norm_of"].split()[0]
    for name, arguments in case.meta["criterion_args"].items():
        loss, total = recognition_loss(model, case, arguments)
        sums = {term.name: term.sum for term in loss.terms}
        expected = case.under(f"loss.{name}.")
        assert_number(total, expected["total"].item(), f"{name} total")
        for term, key in (("decoder", "ce_loss"), ("ctc", "ctc_loss")):
            assert_number(sums.get(term, torch.zeros(())), expected[key].item(), f"{name} {key}")
        assert all(term.count == expected["sample_size"].item() for term in loss.terms)
        if name == differentiated:
            assert_gradients(model, case, total)


def check_s2t_train_masked(case: Case) -> None:
    model = build_speecht5(case)
    assert model.training
    encoded = encode(model, case)
    assert_close(encoded.states, case["out.encoder_out"], "encoder_out", ~encoded.padding_mask)
    assert_close(model.ctc_logits(encoded), case["out.ctc_logits"], "ctc_logits", ~encoded.padding_mask)
    tokens = case["in.prev_output_tokens"]
    assert_close(model.decode_text(tokens, encoded), case["out.decoder_logits"], "decoder", tokens != PADDING)
    loss, total = recognition_loss(model, case, case.meta["criterion_args"])
    sums = {term.name: term.sum for term in loss.terms}
    assert_number(total, case.number("loss.total"), "total")
    assert_number(sums["decoder"], case.number("loss.ce_loss"), "ce_loss")
    assert_number(sums["ctc"], case.number("loss.ctc_loss"), "ctc_loss")
    assert_gradients(model, case, total)


def check_s2c_forward(case: Case) -> None:
    model = build_speecht5(case)
    result = model.classify_speaker(encode(model, case))
    assert_close(result.logits, case["out.class_logits"], "class_logits")
    assert_close(result.embedding, case["out.embed"], "embed")
    arguments = case.meta["criterion_args"]
    loss = token_cross_entropy(result.logits[:, None], case["in.target"], arguments["label_smoothing"])
    assert_number(loss.smoothed, case.number("loss.total"), "total")
    assert_gradients(model, case, loss.smoothed)


CHECKS: dict[str, Callable[[Case], None]] = {
    "s2t_forward": check_s2t_forward,
    "s2t_loss": check_s2t_loss,
    "s2t_train_masked": check_s2t_train_masked,
    "text_pretrain": check_text_pretrain,
    "speech_pretrain": check_speech_pretrain,
    "speech_pretrain_padded": check_speech_pretrain,
    "speech_pretrain_train": check_speech_pretrain,
    "codebook": check_codebook,
    "t2s_forward": check_spectrogram_forward,
    "t2s_loss": check_spectrogram_forward,
    "t2s_prenet_dropout": check_spectrogram_forward,
    "s2s_forward": check_spectrogram_forward,
    "s2c_forward": check_s2c_forward,
}


SEARCHES = ("beam_search", "beam_search_lm")  # compared in test_joint_decoding.py


@pytest.mark.parametrize("name", [name for name in case_names("speecht5") if name not in SEARCHES])
def test_numbers_of_the_original(name: str) -> None:
    if name not in CHECKS:
        pytest.skip(f"the package does not do what '{name}' compares yet")
    CHECKS[name](open_case("speecht5", name))
