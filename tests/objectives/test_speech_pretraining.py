from dataclasses import fields, replace

import pytest
import torch
from torch.nn import functional as F

from models.speecht5.sizes import build
from objectives.batches import quiet_model, speech_batch
from objectives.laws import assert_rows_add_up
from sprachbund.errors import RecipeError
from sprachbund.lengths import frames_from_samples
from sprachbund.objectives.speech_pretraining import SpeechPretraining, SpeechPretrainingConfig

WEIGHTS = {
    "masked_weight": "masked_units",
    "unmasked_weight": "unmasked_units",
    "feature_penalty_weight": "feature_penalty",
    "diversity_weight": "diversity",
    "spectrogram_weight": "spectrogram",
    "stop_weight": "stop",
}


def config(**changes):
    return SpeechPretrainingConfig(unmasked_weight=0.5, **changes)


def test_counts_need_no_forward():
    for rule in ("gumbel", "nearest"):
        objective = SpeechPretraining(build(quantizer_rule=rule), config())
        batch = speech_batch()
        loss = objective(batch)
        assert objective.counts(batch) == {term.name: term.count for term in loss.terms}
        assert ("commitment" in objective.counts(batch)) == (rule == "nearest")


def test_terms_are_normalised_by_what_they_judge():
    objective = SpeechPretraining(build(), config())
    batch = speech_batch()
    counts = objective.counts(batch)
    frames = [frames_from_samples(int(length)) for length in batch.waveform_lengths]
    assert counts["masked_units"] == batch.time_mask.sum()
    assert counts["unmasked_units"] == sum(frames) - batch.time_mask.sum()
    assert counts["feature_penalty"] == sum(frames) * 12
    kept = sum(int(length) // 2 * 2 for length in batch.mel_lengths)
    assert (counts["spectrogram"], counts["stop"]) == (kept * 5, kept)


def test_a_batch_is_the_window_of_its_rows():
    """Splitting into micro-batches changes neither loss nor gradient; perplexity is of a micro-batch by its nature."""
    model = quiet_model().eval()
    objective = SpeechPretraining(model, config(diversity_weight=0.0))
    assert_rows_add_up(objective, model, speech_batch())


def test_masked_cross_entropy_is_that_of_the_masked_frames():
    model = quiet_model().eval()
    batch = speech_batch()
    loss = SpeechPretraining(model)(batch)
    encoded = model.encode_speech(batch.waveforms, batch.waveform_lengths, time_mask=batch.time_mask)
    chosen = batch.time_mask
    logits = model.unit_logits(encoded.states[chosen])
    expected = F.cross_entropy(logits, batch.units[chosen], reduction="sum")
    terms = {term.name: term for term in loss.terms}
    torch.testing.assert_close(terms["masked_units"].sum, expected)
    correct, count = loss.figures["masked_accuracy"]
    assert correct == (logits.argmax(1) == batch.units[chosen]).sum()
    assert count == chosen.sum()


def test_frames_without_a_label_are_not_judged():
    objective = SpeechPretraining(build())
    batch = speech_batch()
    counts = objective.counts(batch)
    batch.time_mask[0, 4] = True
    missing = replace(batch, units=batch.units.clone())
    missing.units[0, 4] = 1
    assert objective.counts(missing)["masked_units"] == objective.counts(batch)["masked_units"] - 1
    shorter = replace(batch, units=batch.units[:, :6])
    assert objective.counts(shorter)["masked_units"] == batch.time_mask[:, :6].sum()
    assert objective.counts(shorter)["feature_penalty"] == counts["feature_penalty"]


def test_labels_at_twice_the_rate_are_taken_by_time():
    batch = speech_batch()
    doubled = replace(batch, units=batch.units.repeat_interleave(2, dim=1))
    slow = SpeechPretraining(quiet_model().eval())(batch).total()
    fast = SpeechPretraining(quiet_model(unit_rate=100.0).eval())(doubled).total()
    torch.testing.assert_close(slow, fast)


@pytest.mark.parametrize("name", WEIGHTS)
def test_a_weight_of_zero_removes_its_term_and_nothing_else(name):
    model = quiet_model().eval()
    batch = speech_batch()
    full = SpeechPretraining(model, replace(config(), **{name: 1.0}))
    without = SpeechPretraining(model, replace(config(), **{name: 0.0}))
    terms, fewer = ({t.name: t for t in objective(batch).terms} for objective in (full, without))
    assert set(terms) - set(fewer) == {WEIGHTS[name]}
    assert set(without.counts(batch)) == set(fewer)
    for other, term in fewer.items():
        torch.testing.assert_close(term.sum, terms[other].sum)


def test_what_nothing_needs_is_not_computed():
    model = build()
    called = []
    parts = {
        "decoder": model.decoder,
        "units": model.unit_predictor,
        "codes": model.quantizer,
        "frames": model.spectrogram_prenet,
    }
    for name, part in parts.items():
        part.register_forward_hook(lambda *_, name=name: called.append(name))
    nothing = {field.name: 0.0 for field in fields(SpeechPretrainingConfig) if field.name.endswith("_weight")}
    only = SpeechPretraining(
        model, SpeechPretrainingConfig(**(nothing | {"feature_penalty_weight": 1.0}), use_codebook=False)
    )
    only(speech_batch()).total().backward()
    assert called == []
    SpeechPretraining(model, SpeechPretrainingConfig(spectrogram_weight=0.0, stop_weight=0.0))(speech_batch())
    assert "decoder" not in called
    assert "codes" in called


def test_everything_that_should_learn_learns():
    model = build(num_speakers=None, original_numerics=False)
    SpeechPretraining(model)(speech_batch()).total().backward()
    idle = {name.split(".")[0] for name, p in model.named_parameters() if p.requires_grad and p.grad is None}
    assert idle == {"text_prenet", "ctc_head"}


def test_a_model_without_the_parts_is_refused():
    with pytest.raises(RecipeError, match="codebook"):
        SpeechPretraining(build(has_quantizer=False))
    with pytest.raises(RecipeError, match="units"):
        SpeechPretraining(build(has_unit_prediction=False))
    bare = build(has_quantizer=False, has_unit_prediction=False)
    SpeechPretraining(bare, SpeechPretrainingConfig(use_codebook=False, masked_weight=0.0))(speech_batch())


def test_the_step_reaches_the_codebook():
    model = build()
    SpeechPretraining(model).set_step(100_000)
    assert model.quantizer.temperature == pytest.approx(2 * 0.999995**100_000)


def test_the_batch_seed_decides_what_is_drawn():
    model = quiet_model().train()
    objective = SpeechPretraining(model)
    batch = speech_batch()
    again, same, other = (objective(replace(batch, seed=seed)).total().item() for seed in (5, 5, 6))
    assert again == same
    assert again != other


def test_original_numerics_cut_the_batch_to_its_labels():
    model = quiet_model(original_numerics=True).eval()
    batch = speech_batch()
    batch = replace(
        batch,
        units=batch.units[:, :7],
        time_mask=batch.time_mask[:, :7],
        codebook_positions=batch.codebook_positions[:7],
    )
    objective = SpeechPretraining(model)
    assert objective.counts(batch)["feature_penalty"] == 3 * 7 * 12
    assert {term.name: term.count for term in objective(batch).terms} == objective.counts(batch)
