from dataclasses import replace

import pytest
import torch
from torch.nn import functional as F

from nn.stacks import mask, shaken
from sprachbund.nn.variance import PredictorConfig, TokenPredictor, Variance, VarianceConfig

SIZES = PredictorConfig(dim=7, kernel=3, dropout=0.0)
CONFIG = VarianceConfig(num_bins=4, lowest=0.0, highest=2.0)
CLOSE = {"rtol": 1e-5, "atol": 1e-5}


def states() -> torch.Tensor:
    return torch.randn(2, 5, 6, generator=torch.Generator().manual_seed(0))


def test_a_number_a_token_whatever_shares_the_batch() -> None:
    torch.manual_seed(0)
    predictor = shaken(TokenPredictor(6, SIZES))
    found = predictor(states(), mask([5, 3]))
    alone = predictor(states()[1:, :3], mask([3]))
    torch.testing.assert_close(found[1, :3], alone[0], **CLOSE)
    leaking = predictor(states(), None)
    torch.testing.assert_close(leaking[0], found[0], **CLOSE)
    assert not torch.allclose(leaking[1, :3], found[1, :3], atol=1e-3)


def test_the_parts_of_the_predictor() -> None:
    torch.manual_seed(0)
    predictor = shaken(TokenPredictor(6, SIZES))
    expected = states()
    for index in range(2):
        expected = F.relu(predictor.convolutions[index](expected, None))
        expected = F.layer_norm(expected, (7,), predictor.norms[index].weight, predictor.norms[index].bias)
    torch.testing.assert_close(predictor(states(), None), predictor.output(expected)[:, :, 0], **CLOSE)


def test_true_values_are_told_by_their_bin() -> None:
    torch.manual_seed(0)
    variance = Variance(6, CONFIG, SIZES).eval()
    values = torch.tensor([[-1.0, 0.0, 0.5, 1.5, 9.0]] * 2)  # edges at 0, 1 and 2
    varied = variance(states(), mask([5, 5]), values)
    vectors = variance.embedding.weight[[0, 0, 1, 2, 3]]
    torch.testing.assert_close(varied.states, states() + vectors)
    torch.testing.assert_close(varied.predicted, variance.predictor(states(), mask([5, 5])))


def test_without_true_values_the_predicted_ones_are_told() -> None:
    torch.manual_seed(0)
    variance = Variance(6, CONFIG, SIZES).eval()
    freely = variance(states(), mask([5, 3]), None)
    told = variance(states(), mask([5, 3]), freely.predicted)
    assert torch.equal(freely.states, told.states)


def test_what_is_not_used_learns_nothing() -> None:
    assert not any(weight.requires_grad for weight in Variance(6, replace(CONFIG, is_used=False), SIZES).parameters())
    assert all(weight.requires_grad for weight in Variance(6, CONFIG, SIZES).parameters())


def test_settings_that_do_not_go_together_are_refused() -> None:
    with pytest.raises(ValueError, match="kernel"):
        PredictorConfig(kernel=2)
    with pytest.raises(ValueError, match="lowest"):
        VarianceConfig(lowest=3.0, highest=3.0)
