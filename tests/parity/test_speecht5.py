"""Our SpeechT5 gives the numbers that the original code gave."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from parity.harness import (
    Case,
    assert_close,
    assert_gradients,
    assert_number,
    build_speecht5,
    case_names,
    open_case,
)
from sprachbund.data.batch import SpeechBatch, TextBatch, TranscribedBatch
from sprachbund.lengths import frames_from_samples
from sprachbund.models.speecht5.model import Encoded, Spectrogram, SpeechT5
from sprachbund.nn.prediction import contrastive_logits
from sprachbund.objectives.loss import Loss
from sprachbund.objectives.recognition import Recognition, RecognitionConfig
from sprachbund.objectives.spectrogram import (
    SpectrogramTarget,
    absolute_distance,
    guided_attention_loss,
    spectrogram_counts,
    spectrogram_target,
    squared_distance,
    stop_loss,
)
from sprachbund.objectives.speech_pretraining import SpeechPretraining, SpeechPretrainingConfig
from sprachbund.objectives.text import token_cross_entropy
from sprachbund.objectives.text_pretraining import TextPretraining, TextPretrainingConfig

PADDING = 1
STOP_POSITIVE_WEIGHT = 5.0


def lengths_of(padding_mask: Tensor) -> Tensor:
    return (~padding_mask).sum(dim=1)


def encode(model: SpeechT5, case: Case) -> Encoded:
    """Encode whatever the case holds, waveforms or tokens."""
    if "in.source" in case:
        return model.encode_speech(
            case["in.source"],
            lengths_of(case["in.padding_mask"]),
            time_mask=case.tensors.get("mask.time"),
            channel_mask=case.tensors.get("mask.channel"),
        )
    tokens = case["in.src_tokens"]
    return model.encode_text(tokens, (tokens != PADDING).sum(dim=1))


def record(model: torch.nn.Module, into: dict[str, Tensor], name: str) -> None:
    model.register_forward_hook(lambda module, inputs, output: into.__setitem__(name, output))


# --- recognition ------------------------------------------------------------------------------------------------------


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


# --- pre-training -----------------------------------------------------------------------------------------------------


def extra_weights(weights: list[float], num_extra: int, *, is_text: bool) -> list[float]:
    """The original shares one list of weights between speech and text: speech takes its head, text its tail."""
    if len(weights) == 1:
        return weights * num_extra
    if len(weights) > num_extra:
        return weights[num_extra:] if is_text else weights[:num_extra]
    return weights


def with_fixed_noise(model: SpeechT5, case: Case) -> None:
    """Let the quantizer take the case's noise instead of drawing its own."""
    if "mask.gumbel_noise" in case:
        model.quantizer.register_forward_pre_hook(
            lambda module, args, kwargs: (args, {**kwargs, "noise": case["mask.gumbel_noise"]}), with_kwargs=True
        )


def positions_of(case: Case, num_frames: int) -> Tensor:
    return case.tensors.get("mask.codebook_positions", torch.zeros(num_frames, dtype=torch.bool))


def check_text_pretrain(case: Case) -> None:
    model = build_speecht5(case)
    with_fixed_noise(model, case)
    tokens, targets = case["in.src_tokens"], case["in.target"]
    arguments = case.meta["criterion_args"]
    (diversity_weight,) = extra_weights(arguments["loss_weights"], 1, is_text=True)
    batch = TextBatch(
        ids=tuple(str(row) for row in range(len(tokens))),
        tokens=tokens,
        token_lengths=(tokens != PADDING).sum(dim=1),
        decoder_input=case["in.prev_output_tokens"],
        targets=targets,
        target_lengths=(targets != PADDING).sum(dim=1),
        codebook_positions=case["mask.codebook_positions"],
        seed=0,
    )
    encoded = model.encode_text(batch.tokens, batch.token_lengths)
    valid = ~encoded.padding_mask
    assert_close(encoded.states, case["out.encoder_out_before_mix"], "encoder_out", valid)
    mixed = model.mix_codes(encoded, batch.codebook_positions)
    assert_close(mixed.quantized.states, case["out.quantized"], "quantized", valid)
    assert_close(mixed.quantized.codes, case["out.codes"], "codes", valid)
    assert_close(mixed.encoded.states, case["out.encoder_out_mixed"], "mixed", valid)
    assert_number(mixed.quantized.probability_perplexity, case.number("out.prob_perplexity"), "prob_perplexity")
    assert_number(mixed.quantized.code_perplexity, case.number("out.code_perplexity"), "code_perplexity")
    logits = model.decode_text(batch.decoder_input, mixed.encoded)
    assert_close(logits, case["out.decoder_logits"], "decoder_logits", batch.decoder_input != PADDING)

    objective = TextPretraining(model, TextPretrainingConfig(diversity_weight=diversity_weight))
    loss = objective(batch)
    sums = {term.name: term.sum for term in loss.terms}
    size = case.number("loss.sample_size")
    assert size == (len(tokens) if arguments["sentence_avg"] else objective.counts(batch)["text"])
    total = loss.total({"text": size, "diversity": 1.0}) * size
    assert_number(sums["text"], case.number("loss.bart_loss"), "bart_loss")
    assert_number(diversity_weight * sums["diversity"] * size, case.number("loss.prob_perplexity"), "diversity")
    assert_number(total, case.number("loss.total"), "total")
    assert_gradients(model, case, total)


def speech_batch(model: SpeechT5, case: Case) -> SpeechBatch:
    waveforms = case["in.source"]
    return SpeechBatch(
        ids=tuple(str(row) for row in range(len(waveforms))),
        waveforms=waveforms,
        waveform_lengths=lengths_of(case["in.padding_mask"]),
        units=case["in.target_list_0"],
        time_mask=case["mask.time"],
        mels=case["in.sample.dec_target"],
        mel_lengths=case["in.sample.dec_target_lengths"],
        speaker_embeddings=case["in.spkembs"],
        codebook_positions=case["mask.codebook_positions"],
        seed=0,
    )


def check_speech_pretrain(case: Case) -> None:
    model = build_speecht5(case)
    with_fixed_noise(model, case)
    batch = speech_batch(model, case)
    check_speech_forward(model, case, batch)
    model = build_speecht5(case)  # the forward has moved the batch norms
    with_fixed_noise(model, case)
    arguments = case.meta["criterion_args"]
    penalty_weight, diversity_weight = extra_weights(arguments["loss_weights"], 2, is_text=False)
    config = SpeechPretrainingConfig(
        masked_weight=arguments["pred_masked_weight"],
        unmasked_weight=arguments["pred_nomask_weight"],
        feature_penalty_weight=penalty_weight,
        diversity_weight=diversity_weight,
        spectrogram_weight=arguments.get("dec_weight", 1.0),
        stop_weight=arguments.get("dec_weight", 1.0),
        stop_positive_weight=arguments.get("bce_pos_weight", STOP_POSITIVE_WEIGHT),
    )
    objective = SpeechPretraining(model, config)
    loss = objective(batch)
    counts = {term.name: term.count for term in loss.terms}
    assert counts == objective.counts(batch)
    sums = {term.name: term.sum for term in loss.terms}
    size = case.number("loss.sample_size")
    counts.update({name: size for name in ("masked_units", "unmasked_units") if name in counts})
    penalty = sums["feature_penalty"] / counts["feature_penalty"]
    assert_number(sums["masked_units"], case.number("loss.loss_m_0"), "loss_m_0")
    assert_number(penalty_weight * penalty * size, case.number("loss.loss_features_pen"), "features_pen")
    assert_number(
        diversity_weight * sums["diversity"] * size, case.number("loss.loss_prob_perplexity"), "loss_prob_perplexity"
    )
    assert_number(sums["spectrogram"] / counts["spectrogram"], case.number("loss.l1_loss"), "l1_loss")
    assert_number(sums["stop"] / counts["stop"], case.number("loss.bce_loss"), "bce_loss")
    correct, count = loss.figures["masked_accuracy"]
    assert (float(correct), float(count)) == (case.number("loss.correct_m_0"), case.number("loss.count_m_0"))
    total = loss.total(counts) * size
    assert_number(total, case.number("loss.total"), "total")
    assert_gradients(model, case, total)


def check_speech_forward(model: SpeechT5, case: Case, batch: SpeechBatch) -> None:
    targets = SpeechPretraining(model)._targets(batch)
    assert_close(targets.units, case["out.aligned_targets"], "aligned_targets")
    encoded = model.encode_speech(
        batch.waveforms,
        batch.waveform_lengths,
        time_mask=batch.time_mask,
        max_frames=targets.units.shape[1],
        with_energy=True,
    )
    assert torch.equal(encoded.padding_mask, case["out.frame_padding_mask"])
    assert encoded.energy is not None
    assert_number(encoded.energy / targets.num_cells, case.number("out.features_pen"), "features_pen")
    for name, chosen in (("logit_m", targets.masked), ("logit_u", targets.unmasked)):
        logits = contrastive_logits(model.unit_logits(encoded.states[chosen]), targets.units[chosen])
        assert_close(logits, case[f"out.{name}"], name)
    mixed = model.mix_codes(encoded, batch.codebook_positions)
    assert_number(mixed.quantized.probability_perplexity, case.number("out.prob_perplexity"), "prob_perplexity")
    assert_number(mixed.quantized.code_perplexity, case.number("out.code_perplexity"), "code_perplexity")
    target = spectrogram_target(batch.mels, batch.mel_lengths, model.config.reduction_factor)
    assert_close(target.decoder_input, case["in.prev_output_tokens"], "decoder_input", steps(target))
    assert_close(target.decoder_lengths, case["in.tgt_lengths"], "decoder_lengths")
    predicted = model.decode_spectrogram(
        target.decoder_input, target.decoder_lengths, batch.speaker_embeddings, mixed.encoded
    )
    compare_spectrogram(predicted, target, case)


# --- the codebook -----------------------------------------------------------------------------------------------------


def check_codebook(case: Case) -> None:
    model = build_speecht5(case).eval()
    states = case["in.x"]
    lengths = torch.full((len(states),), states.shape[1])
    mixed = model.mix_codes(Encoded(states, lengths), case["mask.codebook_positions"])
    quantized = mixed.quantized
    assert_close(quantized.states, case["out.quantized"], "quantized")
    assert_close(quantized.codes, case["out.codes"], "codes")
    assert_close(mixed.encoded.states, case["out.mixed"], "mixed")
    assert_number(quantized.probability_perplexity, case.number("out.prob_perplexity"), "prob_perplexity")
    assert_number(quantized.code_perplexity, case.number("out.code_perplexity"), "code_perplexity")
    assert model.quantizer is not None
    assert_number(model.quantizer.diversity_loss(quantized), case.number("out.diversity_loss"), "diversity")
    assert model.quantizer.num_codes == case.number("out.num_vars")
    model.train()
    for step in sorted(int(name) for name in case.under("out.temp_")):
        model.set_step(step)
        assert_number(model.quantizer.temperature, case.number(f"out.temp_{step}"), f"temp_{step}")
        drawn = model.quantizer(states, noise=case["mask.gumbel_noise"])
        assert_close(drawn.states, case[f"out.train_quantized_{step}"], f"quantized_{step}")
        assert_close(drawn.codes, case[f"out.train_codes_{step}"], f"codes_{step}")


# --- speech out -------------------------------------------------------------------------------------------------------


def steps(target: SpectrogramTarget) -> Tensor:
    return torch.arange(target.decoder_input.shape[1])[None] < target.decoder_lengths[:, None]


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
    labels = case["in.sample.labels"][:, : target.frames.shape[1]]
    if model.config.reduction_factor > 1:
        labels = labels.scatter(1, (target.lengths - 1)[:, None], 1.0)
    target = replace(target, stop_labels=labels)
    distance = absolute_distance(predicted, target) / cells
    stopping = stop_loss(predicted, target, STOP_POSITIVE_WEIGHT) / stops
    memory_lengths = encoded.lengths
    if "in.source" in case:
        shapes = [(kernel, stride) for _, kernel, stride in model.config.conv_layers]
        samples = case["in.sample.src_lengths"].tolist()
        memory_lengths = torch.tensor([frames_from_samples(length, shapes) for length in samples])
    guided = guided_attention_loss(predicted.attention, target.decoder_lengths, memory_lengths)
    assert_number(distance, case.number("loss.l1_loss"), "l1_loss")
    assert_number(squared_distance(predicted, target) / cells, case.number("loss.l2_loss"), "l2_loss")
    assert_number(stopping, case.number("loss.bce_loss"), "bce_loss")
    assert_number(guided, case.number("loss.enc_dec_attn_loss"), "enc_dec_attn_loss")
    total = distance + stopping + (guided if case.meta["criterion_args"]["use_guided_attn_loss"] else 0.0)
    assert_number(total, case.number("loss.loss"), "loss")
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


@pytest.mark.parametrize("name", case_names("speecht5"))
def test_numbers_of_the_original(name: str) -> None:
    if name not in CHECKS:
        pytest.skip(f"the package does not do what '{name}' compares yet")
    CHECKS[name](open_case("speecht5", name))
