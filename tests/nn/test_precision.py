import torch

from sprachbund.nn.precision import single_precision
from sprachbund.nn.prediction import UnitPredictor
from sprachbund.nn.quantizer import NearestQuantizer
from sprachbund.nn.waveform_frontend import masked_channel_norm


def test_products_stay_single_inside_mixed_precision():
    left = torch.randn(4, 4)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert (left @ left).dtype == torch.bfloat16
        with single_precision(left.device):
            assert (left @ left).dtype == torch.float32


def test_parts_that_half_precision_would_spoil_are_kept_from_it():
    torch.manual_seed(0)
    values, weight = torch.randn(2, 3, 50) + 20, torch.ones(3)
    predictor, quantizer = UnitPredictor(8, 6, 9, 0.1), NearestQuantizer(8, 2, 5)
    predictor.projection = torch.nn.Identity()
    states = torch.randn(2, 4, 6)

    def parts():
        norm = masked_channel_norm(values, torch.tensor([50, 30]), weight, torch.zeros(3))
        return norm, predictor(states), quantizer(torch.randn(1, 40, 8, generator=torch.Generator())).states

    expected = parts()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        for mixed, single in zip(parts(), expected, strict=True):
            torch.testing.assert_close(mixed, single)
