import pytest
import torch
from torch.nn import functional as F

from sprachbund.nn.contrastive import ContrastiveHead, ContrastiveHeadConfig

CONFIG = ContrastiveHeadConfig(groups=2, codes_per_group=6, code_dim=8, dim=10, dropout=0.0)


def head(seed: int = 0) -> ContrastiveHead:
    torch.manual_seed(seed)
    return ContrastiveHead(12, 16, CONFIG).eval()


def test_logits_are_cosines_of_each_state_with_its_candidates() -> None:
    torch.manual_seed(1)
    part, states, features = head(), torch.randn(9, 16), torch.randn(9, 12)
    quantized = part.quantize(features, None)
    distractors = torch.tensor([[(place + step) % 9 for step in (1, 2, 5)] for place in range(9)])
    logits = part(states, quantized, distractors)
    assert logits.shape == (9, 4)
    codes = [tuple(pair) for pair in quantized.codes[0].tolist()]
    for place in range(9):
        heard = part.state_projection(states[place])
        for column, other in enumerate([place, *distractors[place].tolist()]):
            cosine = F.cosine_similarity(heard, part.code_projection(quantized.states[0, other]), dim=0)
            is_same = column > 0 and codes[other] == codes[place]
            expected = float("-inf") if is_same else cosine.item() / 0.1
            assert logits[place, column].item() == pytest.approx(expected, abs=1e-4)


def test_a_distractor_with_the_same_codes_does_not_count() -> None:
    part = head()
    feature = torch.randn(1, 12)
    quantized = part.quantize(torch.cat([feature, feature, -feature]), None)
    logits = part(torch.randn(3, 16), quantized, torch.tensor([[1, 2], [0, 2], [0, 1]]))
    assert (logits[0, 1], logits[1, 1]) == (float("-inf"), float("-inf"))
    assert logits[2].isfinite().all()


def test_the_seed_decides_the_noise_of_training() -> None:
    part, features = head().train(), torch.randn(40, 12)
    first, again, other = (part.quantize(features, seed).codes for seed in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_features_are_dropped_in_training_only() -> None:
    torch.manual_seed(0)
    part = ContrastiveHead(12, 16, ContrastiveHeadConfig(groups=2, codes_per_group=6, code_dim=8, dim=10, dropout=0.5))
    features = torch.randn(40, 12)
    assert not torch.equal(part.quantize(features, 1).codes, part.quantize(features, 1).codes)
    part.eval()
    assert torch.equal(part.quantize(features, 1).codes, part.quantize(features, 1).codes)


def test_the_published_sizes_are_the_default() -> None:
    part = ContrastiveHead(512, 768, ContrastiveHeadConfig())
    sizes = {name: tuple(value.shape) for name, value in part.named_parameters()}
    assert sizes == {
        "quantizer.codebook": (1, 640, 128),
        "quantizer.projection.weight": (640, 512),
        "quantizer.projection.bias": (640,),
        "code_projection.weight": (256, 256),
        "code_projection.bias": (256,),
        "state_projection.weight": (256, 768),
        "state_projection.bias": (256,),
    }
    # As large as the published code begins, so that codes are told apart from the start.
    assert part.quantizer.projection.weight.std().item() == pytest.approx(1.0, abs=0.01)


def test_groups_divide_the_width() -> None:
    with pytest.raises(ValueError, match="must divide"):
        ContrastiveHeadConfig(groups=3, code_dim=8)
