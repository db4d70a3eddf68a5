import torch
from torch import nn

from models.speech_units.sizes import NUM_UNITS, build


def test_the_top_is_a_linear_map():
    model = build("speechut")
    assert isinstance(model.top_predictor, nn.Linear)
    states = torch.randn(5, 24)
    expected = states @ model.top_predictor.weight.T + model.top_predictor.bias
    torch.testing.assert_close(model.top_unit_logits(states), expected)
    assert expected.shape == (5, NUM_UNITS)
