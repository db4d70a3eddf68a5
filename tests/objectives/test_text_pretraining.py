from dataclasses import replace

import pytest
import torch
from torch.nn import functional as F

from models.speecht5.sizes import build
from objectives.batches import quiet_model, rows_of, text_batch
from sprachbund.errors import RecipeError
from sprachbund.objectives.loss import add_counts
from sprachbund.objectives.text_pretraining import TextPretraining, TextPretrainingConfig


def test_counts_need_no_forward():
    for rule in ("gumbel", "nearest"):
        objective = TextPretraining(build(quantizer_rule=rule))
        batch = text_batch()
        assert objective.counts(batch) == {term.name: term.count for term in objective(batch).terms}
        assert objective.counts(batch)["text"] == batch.target_lengths.sum()


def test_a_batch_is_the_window_of_its_rows():
    objective = TextPretraining(quiet_model().eval(), TextPretrainingConfig(diversity_weight=0.0))
    batch = text_batch()
    rows = rows_of(batch)
    window: dict[str, float] = {}
    for row in rows:
        window = add_counts(window, objective.counts(row))
    parts = [objective(row).total(window) for row in rows]
    torch.testing.assert_close(sum(parts), objective(batch).total(), rtol=1e-5, atol=1e-5)


def test_the_text_is_restored_from_mixed_states():
    model = quiet_model().eval()
    batch = text_batch()
    loss = TextPretraining(model)(batch)
    mixed = model.mix_codes(model.encode_text(batch.tokens, batch.token_lengths), batch.codebook_positions)
    logits = model.decode_text(batch.decoder_input, mixed.encoded)
    expected = F.cross_entropy(logits.flatten(0, 1), batch.targets.flatten(), ignore_index=1, reduction="sum")
    terms = {term.name: term for term in loss.terms}
    torch.testing.assert_close(terms["text"].sum, expected)
    share = 1 - mixed.quantized.probability_perplexity / 10
    torch.testing.assert_close(terms["diversity"].sum, share)
    assert set(loss.figures) == {"token_accuracy", "codebook_perplexity", "code_perplexity"}


def test_without_codes_the_codebook_rests():
    model = quiet_model()
    loss = TextPretraining(model, TextPretrainingConfig(use_codebook=False))(text_batch())
    loss.total().backward()
    assert [term.name for term in loss.terms] == ["text"]
    assert model.quantizer.codebook.grad is None


def test_without_text_the_decoder_rests():
    model = quiet_model()
    loss = TextPretraining(model, TextPretrainingConfig(text_weight=0.0))(text_batch())
    loss.total().backward()
    assert [term.name for term in loss.terms] == ["diversity"]
    assert model.decoder.layers[0].final_norm.weight.grad is None


def test_a_model_without_a_codebook_is_refused():
    with pytest.raises(RecipeError, match="codebook"):
        TextPretraining(build(has_quantizer=False))


def test_the_batch_seed_decides_what_is_drawn():
    objective = TextPretraining(quiet_model().train())
    batch = text_batch()
    again, same, other = (objective(replace(batch, seed=seed)).total().item() for seed in (5, 5, 6))
    assert again == same
    assert again != other
