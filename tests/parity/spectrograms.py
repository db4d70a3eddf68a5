"""Cases in which speech comes out."""

from dataclasses import replace

import torch
from torch import Tensor

from parity.harness import (
    Case,
    assert_close,
    assert_gradients,
    assert_number,
    build_speecht5,
    encode,
    record,
)
from sprachbund.lengths import frames_from_samples
from sprachbund.models.encoded import Encoded
from sprachbund.models.speecht5.model import SpeechT5
from sprachbund.models.speecht5.outputs import Spectrogram
from sprachbund.objectives.spectrogram import (
    SpectrogramTarget,
    absolute_distance,
    guided_attention_loss,
    spectrogram_counts,
    spectrogram_target,
    squared_distance,
    stop_loss,
)

STOP_POSITIVE_WEIGHT = 5.0


def steps(target: SpectrogramTarget) -> Tensor:
    return torch.arange(target.decoder_input.shape[1])[None] < target.decoder_lengths[:, None]


def with_labels(target: SpectrogramTarget, case: Case) -> SpectrogramTarget:
    """The case's stop labels, by the original's rule: groups always end with an end, single frames as collated."""
    labels = case["in.sample.labels"][:, : target.frames.shape[1]]
    if not torch.equal(target.lengths, target.decoder_lengths):
        labels = labels.scatter(1, (target.lengths - 1)[:, None], 1.0)
    return replace(target, stop_labels=labels)


def compare_spectrogram(predicted: Spectrogram, target: SpectrogramTarget, case: Case) -> None:
    valid = torch.arange(target.frames.shape[1])[None] < target.lengths[:, None]
    assert_close(predicted.before, case["out.before_outs"], "before_outs", valid)
    assert_close(predicted.after, case["out.after_outs"], "after_outs", valid)
    assert_close(predicted.stop_logits, case["out.stop_logits"], "stop_logits", valid)


def speak(model: SpeechT5, case: Case) -> tuple[Encoded, Spectrogram, SpectrogramTarget]:
    encoded = encode(model, case)
    mels, mel_lengths = case["in.sample.dec_target"], case["in.sample.dec_target_lengths"]
    target = spectrogram_target(mels, mel_lengths, model.config.reduction_factor)
    assert_close(target.decoder_input, case["in.prev_output_tokens"], "decoder_input", steps(target))
    assert_close(target.decoder_lengths, case["in.tgt_lengths"], "decoder_lengths")
    masks = case.under("mask.prenet_dropout_")
    predicted = model.decode_spectrogram(
        case["in.prev_output_tokens"],
        case["in.tgt_lengths"],
        case["in.spkembs"],
        encoded,
        need_attention=True,
        prenet_masks=[masks[name] for name in sorted(masks, key=int)] or None,
    )
    return encoded, predicted, target


def check_spectrogram_forward(case: Case) -> None:
    model = build_speecht5(case)
    seen: dict[str, Tensor] = {}
    record(model.text_prenet, seen, "text_encoder_prenet")
    record(model.spectrogram_prenet, seen, "speech_decoder_prenet")
    encoded, predicted, target = speak(model, case)
    valid = ~encoded.padding_mask
    for name, where in (("text_encoder_prenet", valid), ("speech_decoder_prenet", steps(target))):
        if f"out.{name}" in case:
            assert_close(seen[name], case[f"out.{name}"], name, where)
    if "out.encoder_out" in case:
        assert_close(encoded.states, case["out.encoder_out"], "encoder_out", valid)
    if "out.before_outs" in case:
        compare_spectrogram(predicted, target, case)
    for name, weights in case.under("out.attn_").items():
        ours = predicted.attention[int(name)].transpose(1, 2)  # -> batch step head frame
        assert_close(ours, weights.transpose(1, 2), f"attn_{name}", steps(target))
    if "loss.l1_loss" in case:
        check_spectrogram_loss(model, case, encoded, predicted, target)


def check_spectrogram_loss(
    model: SpeechT5, case: Case, encoded: Encoded, predicted: Spectrogram, target: SpectrogramTarget
) -> None:
    lengths = case["in.sample.dec_target_lengths"]
    cells, stops = spectrogram_counts(lengths, model.config.num_mels, model.config.reduction_factor)
    target = with_labels(target, case)
    arguments = case.meta["criterion_args"]
    distance = absolute_distance(predicted, target) / cells
    stopping = stop_loss(predicted, target, arguments.get("bce_pos_weight", STOP_POSITIVE_WEIGHT)) / stops
    memory_lengths = encoded.lengths
    if "in.source" in case:
        shapes = [(kernel, stride) for _, kernel, stride in model.config.conv_layers]
        samples = case["in.sample.src_lengths"].tolist()
        memory_lengths = torch.tensor([frames_from_samples(length, shapes) for length in samples])
    guided = guided_attention_loss(
        predicted.attention,
        target.decoder_lengths,
        memory_lengths,
        num_heads=arguments.get("num_heads_applied_guided_attn", 2),
        sigma=arguments.get("guided_attn_loss_sigma", 0.4),
    )
    squared = squared_distance(predicted, target) / cells
    assert_number(distance, case.number("loss.l1_loss"), "l1_loss")
    assert_number(squared, case.number("loss.l2_loss"), "l2_loss")
    assert_number(stopping, case.number("loss.bce_loss"), "bce_loss")
    for name, value in (("L2_noguide", squared + stopping), ("L1+L2_noguide", distance + squared + stopping)):
        if f"loss.{name}" in case:
            assert_number(value, case.number(f"loss.{name}"), name)
    total = distance + stopping
    if arguments["use_guided_attn_loss"]:
        assert_number(guided, case.number("loss.enc_dec_attn_loss"), "enc_dec_attn_loss")
        total = total + guided
    assert_number(total, case.number("loss.loss"), "loss")
    assert_gradients(model, case, total)
