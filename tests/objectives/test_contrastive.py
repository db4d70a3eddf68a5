import math
from dataclasses import replace
from typing import Any

import pytest
import torch

import tiny
from objectives.batches import contrastive_batch
from objectives.laws import assert_rows_add_up
from sprachbund.errors import RecipeError
from sprachbund.models.hubert.model import Hubert
from sprachbund.nn.contrastive import ContrastiveHeadConfig
from sprachbund.objectives.contrastive import ContrastivePrediction, feature_cells
from sprachbund.objectives.loss import Loss
from sprachbund.objectives.masked_prediction import MaskedPredictionConfig

HEAD = ContrastiveHeadConfig(groups=2, codes_per_group=8, code_dim=8, dim=10, dropout=0.0)


def model(**changes: Any) -> Hubert:
    return tiny.hubert_model(num_units=None, **{"contrastive": HEAD, **changes})


def sums(loss: Loss) -> dict[str, float]:
    return {term.name: term.sum.item() for term in loss.terms}


def test_the_loss_is_that_of_the_paper() -> None:
    """Equation 3 written out: the true frame among itself and its distractors."""
    encoder, batch = model(), contrastive_batch()
    loss = ContrastivePrediction(encoder)(batch)
    encoded = encoder.encode_speech(
        batch.waveforms,
        batch.waveform_lengths,
        time_mask=batch.time_mask,
        channel_mask=batch.channel_mask,
        with_features=True,
    )
    head = encoder.contrastive_head
    assert head is not None and encoded.features is not None
    expected, correct = 0.0, 0
    for row, frame in batch.time_mask.nonzero().tolist():
        scores = []
        heard = head.state_projection(encoded.states[row, frame])
        quantized = [head.quantize(encoded.features[row], None)]
        codes = quantized[0].codes[0]
        for other in [frame, *batch.distractors[row, frame].tolist()]:
            is_same = len(scores) > 0 and torch.equal(codes[other], codes[frame])
            told = head.code_projection(quantized[0].states[0, other])
            score = torch.cosine_similarity(heard, told, dim=0).item() / 0.1
            scores.append(-math.inf if is_same else score)
        expected += math.log(sum(map(math.exp, scores))) - scores[0]
        correct += scores[0] == max(scores) and max(scores[1:]) > -math.inf
    found = sums(loss)
    assert found["contrastive"] == pytest.approx(expected, rel=1e-4)
    assert loss.figures["contrastive_accuracy"] == (correct, batch.time_mask.sum())
    perplexity = loss.figures["codebook_perplexity"][0].item()
    assert found["diversity"] == pytest.approx((16 - perplexity) / 16)
    cells = 16 * sum(int(length) for length in encoded.lengths)
    assert feature_cells(encoder, batch.waveforms.shape[1], batch.waveform_lengths) == cells
    weights = {term.name: (term.weight, term.count) for term in loss.terms}
    count = float(batch.time_mask.sum())
    assert weights == {"contrastive": (1.0, count), "diversity": (0.1, 1.0), "feature_penalty": (10.0, cells)}


def test_counts_need_no_forward() -> None:
    objective, batch = ContrastivePrediction(model()), contrastive_batch()
    assert objective.counts(batch) == {term.name: term.count for term in objective(batch).terms}
    for weight, term in (("masked_weight", "contrastive"), ("feature_penalty_weight", "feature_penalty")):
        less = ContrastivePrediction(model(), MaskedPredictionConfig(**{weight: 0.0}))
        assert less.counts(batch) == {one.name: one.count for one in less(batch).terms}
        assert set(objective.counts(batch)) - set(less.counts(batch)) == {term}
    without = ContrastivePrediction(model(), diversity_weight=0.0)
    assert "diversity" not in without.counts(batch)


def test_a_batch_is_the_window_of_its_rows() -> None:
    """Padded equals alone and accumulated equals one batch, but for diversity, which is of a micro-batch by nature."""
    encoder, batch = model(), contrastive_batch()
    assert_rows_add_up(ContrastivePrediction(encoder, diversity_weight=0.0), encoder, batch)


def test_a_row_with_one_masked_frame_has_nothing_to_tell() -> None:
    batch = contrastive_batch()
    lonely = batch.time_mask.clone()
    lonely[1] = False
    lonely[1, 3] = True
    batch = replace(batch, time_mask=lonely)
    objective = ContrastivePrediction(model())
    assert objective.counts(batch)["contrastive"] == lonely[0].sum() + lonely[2].sum()
    assert objective.counts(batch) == {term.name: term.count for term in objective(batch).terms}
    nothing = replace(batch, time_mask=torch.zeros_like(lonely))
    loss = objective(nothing)
    assert loss.total().isfinite()
    assert objective.counts(nothing) == {term.name: term.count for term in loss.terms}
    loss.total().backward()


def test_a_collapsed_codebook_is_no_success() -> None:
    encoder = model()
    head = encoder.contrastive_head
    assert head is not None
    with torch.no_grad():
        head.quantizer.projection.weight.zero_()
        head.quantizer.projection.bias.copy_(torch.arange(16.0))
    loss = ContrastivePrediction(encoder)(contrastive_batch())
    assert loss.figures["contrastive_accuracy"][0] == 0
    assert loss.figures["code_perplexity"][0] == pytest.approx(2.0, abs=1e-4)


def test_the_codes_are_of_unmasked_features() -> None:
    """What is masked changes the states alone."""
    encoder, batch = model(), contrastive_batch()
    masked, whole = (
        encoder.encode_speech(batch.waveforms, batch.waveform_lengths, time_mask=mask, with_features=True)
        for mask in (batch.time_mask, None)
    )
    assert masked.features is not None and whole.features is not None
    assert torch.equal(masked.features, whole.features)
    assert not torch.equal(masked.states, whole.states)
    assert encoder.encode_speech(batch.waveforms, batch.waveform_lengths).features is None


def test_everything_learns() -> None:
    encoder = model().train()
    ContrastivePrediction(encoder)(contrastive_batch()).total().backward()
    assert [name for name, value in encoder.named_parameters() if value.grad is None] == []


def test_the_step_cools_the_quantizer() -> None:
    encoder = model()
    ContrastivePrediction(encoder).set_step(100_000)
    assert encoder.contrastive_head is not None
    assert encoder.contrastive_head.quantizer.temperature == pytest.approx(2 * 0.999995**100_000)


def test_what_does_not_go_together_is_refused() -> None:
    with pytest.raises(RecipeError, match="head that the model lacks"):
        ContrastivePrediction(tiny.hubert_model())
    with pytest.raises(RecipeError, match="masked frames only"):
        ContrastivePrediction(model(), MaskedPredictionConfig(unmasked_weight=0.5))


def test_batches_of_random_numbers_are_learned_by_heart() -> None:
    """Far above the sixth that guessing among six candidates reaches."""
    stack = tiny.without_dropout(tiny.hubert_config().encoder)
    encoder = model(dropout=0.0, encoder=stack).train()
    objective, batch = ContrastivePrediction(encoder), contrastive_batch((4000, 3200))
    optimizer = torch.optim.Adam(encoder.parameters(), lr=3e-3)
    for _ in range(100):
        optimizer.zero_grad()
        objective(batch).total().backward()
        optimizer.step()
    encoder.eval()
    with torch.no_grad():
        correct, count = objective(batch).figures["contrastive_accuracy"]
    assert correct.item() / float(count) > 0.8
