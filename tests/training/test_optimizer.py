import math

import torch

from sprachbund.training.optimizer import Adam


def reference(values, gradients, rate, betas, epsilon, decay):
    """One number at a time, written from the formula."""
    mean = square = 0.0
    for count, gradient in enumerate(gradients, 1):
        mean = betas[0] * mean + (1 - betas[0]) * gradient
        square = betas[1] * square + (1 - betas[1]) * gradient**2
        size = rate * math.sqrt(1 - betas[1] ** count) / (1 - betas[0] ** count)
        values = values - rate * decay * values - size * mean / (math.sqrt(square) + epsilon)
    return values


def test_equals_the_formula():
    parameter = torch.nn.Parameter(torch.tensor([1.5, -0.5], dtype=torch.float64))
    optimizer = Adam([parameter], rate=0.1, betas=(0.9, 0.98), epsilon=1e-2, weight_decay=0.1)
    history = [[0.3, -1.0], [0.2, 0.5], [-0.7, 0.0]]
    for gradient in history:
        parameter.grad = torch.tensor(gradient, dtype=torch.float64)
        optimizer.step()
    for place, start in enumerate([1.5, -0.5]):
        wanted = reference(start, [g[place] for g in history], 0.1, (0.9, 0.98), 1e-2, 0.1)
        assert math.isclose(parameter[place].item(), wanted, rel_tol=1e-12)


def test_a_parameter_that_joins_late_starts_its_own_count():
    early, late = (torch.nn.Parameter(torch.ones(1, dtype=torch.float64)) for _ in range(2))
    optimizer = Adam([early, late], rate=0.1)
    early.grad = torch.ones(1, dtype=torch.float64)
    optimizer.step()
    late.grad = torch.ones(1, dtype=torch.float64)
    optimizer.step()
    assert optimizer.state[early]["step"] == 2
    assert optimizer.state[late]["step"] == 1
    assert math.isclose(late.item(), reference(1.0, [1.0], 0.1, (0.9, 0.98), 1e-6, 0.0), rel_tol=1e-12)


def test_state_survives_saving():
    def run(steps, state=None, start=None):
        torch.manual_seed(0)
        weight = torch.nn.Parameter(torch.randn(3, 3) if start is None else start.clone())
        optimizer = Adam([weight], rate=0.01)
        if state is not None:
            optimizer.load_state_dict(state)
        for step in steps:
            weight.grad = torch.full((3, 3), math.sin(step + 1.0))
            optimizer.step()
        return weight.detach(), optimizer.state_dict()

    whole, _ = run(range(6))
    half, state = run(range(3))
    resumed, _ = run(range(3, 6), state, half)
    assert torch.equal(whole, resumed)
