import torch

from models.speecht5.sizes import build
from sprachbund.objectives.codebook import codebook_counts, codebook_figures, codebook_terms


def test_terms_and_counts_agree():
    for rule in ("gumbel", "nearest"):
        model = build(quantizer_rule=rule)
        quantized = model.quantizer(torch.randn(1, 5, 24))
        for diversity in (0.0, 0.1):
            for commitment in (0.0, 1.0):
                terms = codebook_terms(model, quantized, diversity, commitment)
                counts = codebook_counts(model, diversity, commitment)
                assert {term.name: term.count for term in terms} == counts
                assert ("diversity" in counts) == bool(diversity)
                assert ("commitment" in counts) == bool(commitment and rule == "nearest")


def test_figures_have_no_gradient():
    model = build()
    for value, count in codebook_figures(model.quantizer(torch.randn(1, 5, 24))).values():
        assert not value.requires_grad
        assert count == 1.0
