"""Cases of pre-training, and of its codebook."""

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
    lengths_of,
)
from parity.spectrograms import STOP_POSITIVE_WEIGHT, compare_spectrogram, steps, with_labels
from sprachbund.data.batches.batch import SpeechBatch, TextBatch
from sprachbund.models.encoded import Encoded
from sprachbund.models.speecht5.model import SpeechT5
from sprachbund.nn.prediction import contrastive_logits
from sprachbund.nn.quantizer import Quantized
from sprachbund.objectives import speech_pretraining
from sprachbund.objectives.masked_units import unit_targets
from sprachbund.objectives.spectrogram import spectrogram_target
from sprachbund.objectives.speech_pretraining import SpeechPretraining, SpeechPretrainingConfig
from sprachbund.objectives.text_pretraining import TextPretraining, TextPretrainingConfig


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
    has_codebook = model.quantizer is not None
    diversity_weight = sum(extra_weights(arguments["loss_weights"], 1, is_text=True)[:1]) if has_codebook else 0.0
    batch = TextBatch(
        ids=tuple(str(row) for row in range(len(tokens))),
        tokens=tokens,
        token_lengths=(tokens != PADDING).sum(dim=1),
        decoder_input=case["in.prev_output_tokens"],
        targets=targets,
        target_lengths=(targets != PADDING).sum(dim=1),
        codebook_positions=positions_of(case, tokens.shape[1]),
        seed=0,
    )
    check_text_forward(model, case, batch)
    config = TextPretrainingConfig(diversity_weight=diversity_weight, use_codebook=has_codebook)
    objective = TextPretraining(model, config)
    loss = objective(batch)
    sums = {term.name: term.sum for term in loss.terms}
    size = case.number("loss.sample_size")
    assert size == (len(tokens) if arguments["sentence_avg"] else objective.counts(batch)["text"])
    total = loss.total({"text": size, "diversity": 1.0}) * size
    assert_number(sums["text"], case.number("loss.bart_loss"), "bart_loss")
    if diversity_weight:
        assert_number(diversity_weight * sums["diversity"] * size, case.number("loss.prob_perplexity"), "diversity")
    assert_number(total, case.number("loss.total"), "total")
    assert_gradients(model, case, total)


def check_text_forward(model: SpeechT5, case: Case, batch: TextBatch) -> None:
    memory = model.encode_text(batch.tokens, batch.token_lengths)
    valid = ~memory.padding_mask
    if model.quantizer is not None:
        assert_close(memory.states, case["out.encoder_out_before_mix"], "encoder_out", valid)
        mixed = model.mix_codes(memory, batch.codebook_positions)
        memory = mixed.encoded
        assert_close(mixed.quantized.states, case["out.quantized"], "quantized", valid)
        assert_close(mixed.quantized.codes, case["out.codes"], "codes", valid)
        assert_close(memory.states, case["out.encoder_out_mixed"], "mixed", valid)
        compare_perplexities(mixed.quantized, case)
    logits = model.decode_text(batch.decoder_input, memory)
    assert_close(logits, case["out.decoder_logits"], "decoder_logits", batch.decoder_input != PADDING)


def compare_perplexities(quantized: Quantized, case: Case) -> None:
    assert_number(quantized.probability_perplexity, case.number("out.prob_perplexity"), "prob_perplexity")
    assert_number(quantized.code_perplexity, case.number("out.code_perplexity"), "code_perplexity")


def speech_batch(case: Case) -> SpeechBatch:
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
        codebook_positions=positions_of(case, case["mask.time"].shape[1]),
        seed=0,
    )


def pretraining_config(arguments: dict[str, Any], has_codebook: bool) -> SpeechPretrainingConfig:
    weights = extra_weights(arguments["loss_weights"], 1 + has_codebook, is_text=False)
    units, decoder = arguments.get("hubert_weight", 1.0), arguments.get("dec_weight", 1.0)
    return SpeechPretrainingConfig(
        masked_weight=units * arguments["pred_masked_weight"],
        unmasked_weight=units * arguments["pred_nomask_weight"],
        feature_penalty_weight=units * weights[0],
        diversity_weight=units * weights[1] if has_codebook else 0.0,
        spectrogram_weight=decoder,
        stop_weight=decoder,
        stop_positive_weight=arguments.get("bce_pos_weight", STOP_POSITIVE_WEIGHT),
        use_codebook=has_codebook,
    )


def check_speech_pretrain(case: Case) -> None:
    batch = speech_batch(case)
    model = build_speecht5(case)
    with_fixed_noise(model, case)
    check_speech_forward(model, case, batch)
    model = build_speecht5(case)  # the forward has moved the batch norms
    with_fixed_noise(model, case)
    arguments = case.meta["criterion_args"]
    config = pretraining_config(arguments, model.quantizer is not None)
    objective = SpeechPretraining(model, config)
    with pytest.MonkeyPatch.context() as patch:
        # A crop that ends before its recording has no end in the original's labels.
        patch.setattr(
            speech_pretraining, "spectrogram_target", lambda *given: with_labels(spectrogram_target(*given), case)
        )
        loss = objective(batch)
    counts = {term.name: term.count for term in loss.terms}
    assert counts == objective.counts(batch)
    sums = {term.name: term.sum for term in loss.terms}
    size = case.number("loss.sample_size")
    compare_pretraining_terms(sums, counts, config, size, case)
    correct, count = loss.figures["masked_accuracy"]
    assert (float(correct), float(count)) == (case.number("loss.correct_m_0"), case.number("loss.count_m_0"))
    counts.update({name: size for name in ("masked_units", "unmasked_units") if name in counts})
    total = loss.total(counts) * size
    assert_number(total, case.number("loss.total"), "total")
    assert_gradients(model, case, total)


def compare_pretraining_terms(
    sums: dict[str, Tensor], counts: dict[str, float], config: SpeechPretrainingConfig, size: float, case: Case
) -> None:
    """The terms, each as the original logs it."""
    means = {name: value / counts[name] for name, value in sums.items()}
    expected = {
        "loss_m_0": sums.get("masked_units"),
        "loss_features_pen": config.feature_penalty_weight * means["feature_penalty"] * size,
        "loss_prob_perplexity": config.diversity_weight * means["diversity"] * size if "diversity" in means else None,
        "l1_loss": means.get("spectrogram"),
        "bce_loss": means.get("stop"),
    }
    for name, value in expected.items():
        if value is not None:
            assert_number(value, case.number(f"loss.{name}"), name)


def check_speech_forward(model: SpeechT5, case: Case, batch: SpeechBatch) -> None:
    targets = unit_targets(model, batch)
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
    for name, chosen in (("m", targets.masked), ("u", targets.unmasked)):
        logits, wanted = model.unit_logits(encoded.states[chosen]), targets.units[chosen]
        assert_close(contrastive_logits(logits, wanted), case[f"out.logit_{name}"], name)
        loss = torch.nn.functional.cross_entropy(logits, wanted, reduction="sum")
        assert_number(loss, case.number(f"loss.loss_{name}_0"), f"loss_{name}_0")
    memory: Encoded = encoded
    if model.quantizer is not None:
        mixed = model.mix_codes(encoded, batch.codebook_positions)
        memory = mixed.encoded
        compare_perplexities(mixed.quantized, case)
    target = spectrogram_target(batch.mels, batch.mel_lengths, model.config.reduction_factor)
    assert_close(target.decoder_input, case["in.prev_output_tokens"], "decoder_input", steps(target))
    assert_close(target.decoder_lengths, case["in.tgt_lengths"], "decoder_lengths")
    predicted = model.decode_spectrogram(target.decoder_input, target.decoder_lengths, batch.speaker_embeddings, memory)
    compare_spectrogram(predicted, target, case)


def check_codebook(case: Case) -> None:
    model = build_speecht5(case).eval()
    states = case["in.x"]
    lengths = torch.full((len(states),), states.shape[1])
    mixed = model.mix_codes(Encoded(states, lengths), case["mask.codebook_positions"])
    quantized = mixed.quantized
    assert_close(quantized.states, case["out.quantized"], "quantized")
    assert_close(quantized.codes, case["out.codes"], "codes")
    assert_close(mixed.encoded.states, case["out.mixed"], "mixed")
    compare_perplexities(quantized, case)
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
