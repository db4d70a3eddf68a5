import torch

from sprachbund.nn.gradient import scale_gradient


def test_values_stay_and_gradients_shrink():
    values = torch.randn(3, 4, requires_grad=True)
    scaled = scale_gradient(values, 0.1)
    assert torch.equal(scaled, values)
    scaled.square().sum().backward()
    torch.testing.assert_close(values.grad, 0.2 * values.detach())
    assert scale_gradient(values, 1.0) is values
