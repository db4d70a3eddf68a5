from dataclasses import replace

import pytest
import torch

import tiny
from models.speech_units.sizes import DECODER, build
from objectives.batches import quiet_model, rows_of, transcribed_batch
from objectives.laws import assert_rows_add_up
from sprachbund.errors import RecipeError
from sprachbund.objectives.loss import add_counts
from sprachbund.objectives.recognition import Recognition, RecognitionConfig
from sprachbund.objectives.text import ctc_loss, token_cross_entropy


def test_both_terms_are_weighted_and_normalised():
    model = quiet_model().eval()
    batch = transcribed_batch()
    loss = Recognition(model, RecognitionConfig(decoder_weight=0.7, ctc_weight=0.3))(batch)
    encoded = model.encode_speech(
        batch.waveforms, batch.waveform_lengths, time_mask=batch.time_mask, channel_mask=batch.channel_mask
    )
    tokens = token_cross_entropy(model.decode_text(batch.decoder_input, encoded), batch.targets, 0.1).smoothed
    ctc = ctc_loss(model.ctc_logits(encoded), encoded.lengths, batch.targets, blank=20)
    torch.testing.assert_close(loss.total(), (0.7 * tokens + 0.3 * ctc) / 3)


@pytest.mark.parametrize(("by", "expected"), [("sentences", 3.0), ("tokens", 12.0)])
def test_counts_need_no_forward(by, expected):
    objective = Recognition(quiet_model(), RecognitionConfig(normalize_by=by))
    batch = transcribed_batch()
    assert objective.counts(batch) == {term.name: term.count for term in objective(batch).terms}
    assert objective.counts(batch) == {"decoder": expected, "ctc": expected}


def test_a_batch_is_the_window_of_its_rows():
    objective = Recognition(quiet_model().eval())
    batch = transcribed_batch()
    rows = rows_of(batch)
    window: dict[str, float] = {}
    for row in rows:
        window = add_counts(window, objective.counts(row))
    parts = [objective(row).total(window) for row in rows]
    torch.testing.assert_close(sum(parts), objective(batch).total(), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(("name", "term"), [("decoder_weight", "decoder"), ("ctc_weight", "ctc")])
def test_a_weight_of_zero_removes_its_branch(name, term):
    model = quiet_model()
    objective = Recognition(model, RecognitionConfig(**{name: 0.0}))
    loss = objective(transcribed_batch())
    assert term not in {t.name for t in loss.terms}
    assert set(objective.counts(transcribed_batch())) == {t.name for t in loss.terms}
    loss.total().backward()
    rests = model.decoder.layers[0].final_norm if term == "decoder" else model.ctc_head
    assert rests.weight.grad is None


def test_the_encoder_thaws_after_its_steps():
    model = quiet_model()
    objective = Recognition(model, RecognitionConfig(freeze_encoder_steps=10))
    for step, learns in ((0, False), (9, False), (10, True)):
        model.zero_grad(set_to_none=True)
        objective.set_step(step)
        objective(transcribed_batch()).total().backward()
        assert (model.encoder.layers[0].final_norm.weight.grad is not None) == learns
        assert (model.speech_prenet.norm.weight.grad is not None) == learns
        assert model.ctc_head.weight.grad is not None
        assert model.decoder.layers[0].final_norm.weight.grad is not None


def test_a_frozen_encoder_is_frozen_from_the_start():
    assert Recognition(quiet_model(), RecognitionConfig(freeze_encoder_steps=1)).is_encoder_frozen
    assert not Recognition(quiet_model()).is_encoder_frozen


def test_another_blank_can_be_named():
    model = quiet_model().eval()
    batch = transcribed_batch()
    usual, other = (
        Recognition(model, RecognitionConfig(decoder_weight=0.0, blank=blank))(batch).total() for blank in (None, 0)
    )
    assert not torch.isclose(usual, other)


def encoder_alone(**changes):
    return tiny.hubert_model(num_units=None, **changes)


def test_ctc_alone_trains_an_encoder():
    model, batch = encoder_alone(vocab_size=21), replace(transcribed_batch(), channel_mask=None)
    objective = Recognition(model, RecognitionConfig(decoder_weight=0.0, ctc_weight=1.0))
    loss = objective(batch)
    encoded = model.encode_speech(batch.waveforms, batch.waveform_lengths, time_mask=batch.time_mask)
    # The blank is the last entry of the dictionary.
    expected = ctc_loss(model.ctc_logits(encoded), encoded.lengths, batch.targets, blank=20)
    torch.testing.assert_close(loss.total(), expected / 3)
    assert objective.counts(batch) == {"ctc": 3.0}
    loss.total().backward()
    assert [name for name, value in model.named_parameters() if value.grad is None] == []


def test_what_the_model_lacks_is_refused():
    with pytest.raises(RecipeError, match="no text decoder") as caught:
        Recognition(encoder_alone(vocab_size=21))
    assert "Set objective.decoder_weight to 0" in str(caught.value)
    with pytest.raises(RecipeError, match="no CTC head"):
        Recognition(encoder_alone(), RecognitionConfig(decoder_weight=0.0))


HYBRID, CTC_ALONE = {}, {"decoder_weight": 0.0, "ctc_weight": 1.0}
TRANSLATION = {"decoder_weight": 1.0, "ctc_weight": 0.0, "label_smoothing": 0.3}


@pytest.mark.parametrize(
    ("kind", "changes", "weights"),
    [
        ("speechut", {}, HYBRID),
        ("speechlm", {}, CTC_ALONE),
        ("speechlm", {"decoder": DECODER, "has_ctc_head": False}, TRANSLATION),
    ],
    ids=["hybrid", "ctc", "translation"],
)
def test_models_of_speech_and_units_learn_without_their_units(kind, changes, weights):
    model = build(kind, num_units=None, **changes)  # evaluation: nothing is random
    assert_rows_add_up(Recognition(model, RecognitionConfig(**weights)), model, transcribed_batch())
    learned = {name for name, value in model.named_parameters() if value.grad is not None}
    for part in ("encoder.layers.0", "unit_encoder.layers.0", "speech_prenet"):
        assert any(name.startswith(part) for name in learned), part


def test_the_blank_is_that_of_the_model():
    model, batch = build("speechlm"), transcribed_batch()
    loss = Recognition(model, RecognitionConfig(**CTC_ALONE))(batch)
    encoded = model.encode_speech(
        batch.waveforms, batch.waveform_lengths, time_mask=batch.time_mask, channel_mask=batch.channel_mask
    )
    expected, other = (
        ctc_loss(model.ctc_logits(encoded), encoded.lengths, batch.targets, blank=blank) / 3 for blank in (0, 20)
    )
    torch.testing.assert_close(loss.total(), expected)
    assert not torch.isclose(expected, other)


def test_utterances_too_short_for_ctc_are_told():
    """Of 12, 8 and 5 frames only the last has fewer than its letters."""
    batch = transcribed_batch()
    long = torch.tensor([[4, 5, 4, 5, 4, 5, 2]]).expand(3, -1)
    batch = replace(batch, targets=long, decoder_input=long, target_lengths=torch.full((3,), 7))
    loss = Recognition(build("speechut"), RecognitionConfig())(batch)
    assert tuple(map(float, loss.figures["impossible"])) == (1.0, 3.0)
    assert loss.total().isfinite()
    translating = Recognition(build("speechut"), RecognitionConfig(**TRANSLATION))
    assert "impossible" not in translating(batch).figures
