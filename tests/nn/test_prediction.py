import torch
from torch.nn import functional as F

from sprachbund.nn.prediction import UnitPredictor, contrastive_logits


def test_logits_are_cosines_over_the_temperature():
    torch.manual_seed(0)
    predictor = UnitPredictor(6, 4, 9, 0.1)
    states = torch.randn(2, 3, 6)
    projected = predictor.projection(states)
    expected = F.cosine_similarity(projected[:, :, None], predictor.embeddings[None, None], dim=-1) / 0.1
    torch.testing.assert_close(predictor(states), expected, rtol=1e-5, atol=1e-5)


def test_the_original_layout_has_the_same_cross_entropy():
    torch.manual_seed(0)
    logits, targets = torch.randn(5, 7), torch.randint(0, 7, (5,))
    layout = contrastive_logits(logits, targets)
    assert layout.shape == (5, 8)
    assert torch.isneginf(layout).sum() == 5
    first = torch.zeros(5, dtype=torch.long)
    torch.testing.assert_close(F.cross_entropy(layout, first), F.cross_entropy(logits, targets))
