import math

import pytest
import torch

from sprachbund.nn.quantizer import GumbelQuantizer, NearestQuantizer

SCHEDULE = (2.0, 0.5, 0.9)


def gumbel(**options):
    torch.manual_seed(0)
    return GumbelQuantizer(8, 2, 5, SCHEDULE, **options)


def test_temperature_falls_to_its_floor():
    quantizer = gumbel()
    for step, expected in ((0, 2.0), (3, 2 * 0.9**3), (10**6, 0.5)):
        quantizer.set_step(step)
        assert quantizer.temperature == pytest.approx(expected)


def test_evaluation_takes_the_likeliest_code_of_each_group():
    quantizer = gumbel().eval()
    states = torch.randn(2, 6, 8)
    result = quantizer(states)
    logits = quantizer.projection(states).view(2, 6, 2, 5)
    assert torch.equal(result.codes, logits.argmax(3))
    book = quantizer.codebook.view(2, 5, 4)
    expected = torch.cat([book[0][result.codes[..., 0]], book[1][result.codes[..., 1]]], dim=2)
    torch.testing.assert_close(result.states, expected)
    assert result.commitment is None


def test_training_draws_as_often_as_probabilities_say():
    quantizer = gumbel().train()
    states = torch.randn(1, 1, 8).expand(1, 20000, 8)
    codes = quantizer(states, seed=5).codes[0, :, 0]
    share = torch.bincount(codes, minlength=5) / len(codes)
    expected = quantizer.projection(states[0, 0]).view(2, 5)[0].softmax(0)
    torch.testing.assert_close(share, expected, rtol=0, atol=0.02)


def test_gradients_reach_states_projection_and_codes():
    quantizer = gumbel().train()
    states = torch.randn(2, 6, 8, requires_grad=True)
    (quantizer(states).states * torch.randn(2, 6, 8)).sum().backward()
    assert states.grad.abs().sum() > 0
    assert quantizer.projection.weight.grad.abs().sum() > 0
    assert quantizer.codebook.grad.abs().sum() > 0


@pytest.mark.parametrize("kind", ["gumbel", "nearest"])
def test_perplexity_is_the_number_of_codes_in_use(kind):
    if kind == "gumbel":
        quantizer = gumbel().eval()
        with torch.no_grad():
            quantizer.projection.weight.zero_()
            quantizer.projection.bias.zero_()
    else:
        quantizer = NearestQuantizer(8, 2, 5)
        with torch.no_grad():
            quantizer.codebook.fill_(1.0)
    result = quantizer(torch.randn(2, 6, 8))
    # All codes alike: even probabilities, and always the first code.
    assert result.probability_perplexity.item() == pytest.approx(10.0, rel=1e-4)
    assert result.code_perplexity.item() == pytest.approx(2.0, rel=1e-4)
    assert quantizer.diversity_loss(result).item() == pytest.approx(0.0, abs=1e-4)


def test_padding_does_not_count():
    quantizer = gumbel().eval()
    states = torch.randn(1, 6, 8)
    padded = torch.cat([states, torch.randn(1, 3, 8)], dim=1)
    mask = torch.arange(9)[None] >= 6
    one, other = quantizer(states), quantizer(padded, mask)
    torch.testing.assert_close(one.probability_perplexity, other.probability_perplexity)
    torch.testing.assert_close(one.code_perplexity, other.code_perplexity)
    unmasked = quantizer(padded).probability_perplexity.item()
    assert not math.isclose(unmasked, one.probability_perplexity.item(), rel_tol=1e-4)


def test_the_nearest_code_is_nearest():
    torch.manual_seed(0)
    quantizer = NearestQuantizer(8, 2, 5)
    states = torch.randn(2, 6, 8)
    result = quantizer(states)
    book = quantizer.codebook.view(2, 5, 4)
    distance = (states.view(2, 6, 2, 1, 4) - book).norm(dim=4)
    assert torch.equal(result.codes, distance.argmin(3))
    expected = torch.cat([book[0][result.codes[..., 0]], book[1][result.codes[..., 1]]], dim=2)
    torch.testing.assert_close(result.states, expected)
    assert torch.equal(quantizer.eval()(states).codes, result.codes)


def test_the_nearest_rule_is_straight_through_and_learns_its_codes():
    torch.manual_seed(0)
    quantizer = NearestQuantizer(8, 1, 4)
    states = (torch.randn(1, 50, 8) * 0.1 + 3.0).requires_grad_()
    (gradient,) = torch.autograd.grad(quantizer(states).states.sum(), states)
    torch.testing.assert_close(gradient, torch.ones_like(states))
    optimizer = torch.optim.SGD([quantizer.codebook], lr=2.0)
    before = quantizer(states).commitment.item()
    for _ in range(40):
        optimizer.zero_grad()
        quantizer(states.detach()).commitment.backward()
        optimizer.step()
    assert quantizer(states).commitment.item() < 0.05 * before


def test_diversity_pulls_unused_codes_in():
    torch.manual_seed(0)
    quantizer = NearestQuantizer(4, 1, 3)
    with torch.no_grad():
        quantizer.codebook[0, 2] += 4.0
    states = torch.rand(1, 40, 4)
    optimizer = torch.optim.Adam([quantizer.codebook], lr=0.1)
    first = quantizer.diversity_loss(quantizer(states)).item()
    for _ in range(60):
        optimizer.zero_grad()
        quantizer.diversity_loss(quantizer(states)).backward()
        optimizer.step()
    assert quantizer.diversity_loss(quantizer(states)).item() < 0.5 * first


def test_states_may_be_wider_than_their_codes():
    torch.manual_seed(0)
    narrow = GumbelQuantizer(8, 2, 5, SCHEDULE, input_dim=12).eval()
    states = torch.randn(2, 6, 12)
    found = narrow(states)
    assert found.states.shape == (2, 6, 8)
    codebook = narrow.codebook.view(2, 5, 4)
    for group in range(2):
        expected = codebook[group][found.codes[:, :, group]]
        torch.testing.assert_close(found.states[:, :, 4 * group : 4 * group + 4], expected)
