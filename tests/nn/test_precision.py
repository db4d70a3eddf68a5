import torch

from sprachbund.nn.precision import compute_dtype, mixed_precision, single_precision, split_product, sum_precision
from sprachbund.nn.prediction import UnitPredictor
from sprachbund.nn.quantizer import NearestQuantizer
from sprachbund.nn.waveform_frontend import normalized_filters


def test_products_stay_single_inside_mixed_precision():
    left = torch.randn(4, 4)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert (left @ left).dtype == torch.bfloat16
        with single_precision(left.device):
            assert (left @ left).dtype == torch.float32


def test_parts_that_half_precision_would_spoil_are_kept_from_it():
    torch.manual_seed(0)
    frames, filters = torch.randn(2, 50, 3) + 20, torch.randn(4, 3)
    predictor, quantizer = UnitPredictor(8, 6, 9, 0.1), NearestQuantizer(8, 2, 5)
    predictor.projection = torch.nn.Identity()
    states = torch.randn(2, 4, 6)

    def parts():
        kept = normalized_filters(frames, torch.tensor([50, 30]), filters, torch.nn.LayerNorm(4))
        return *kept, predictor(states), quantizer(torch.randn(1, 40, 8, generator=torch.Generator())).states

    expected = parts()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        for mixed, single in zip(parts(), expected, strict=True):
            torch.testing.assert_close(mixed, single)


def test_bf16_makes_products_short_and_float32_leaves_them():
    left, device = torch.randn(4, 4), torch.device("cpu")
    with mixed_precision(device, "float32"):
        assert (left @ left).dtype == compute_dtype(left) == sum_precision(left).dtype == torch.float32
    with mixed_precision(device, "bf16"):
        assert (left @ left).dtype == compute_dtype(left) == torch.bfloat16
        assert sum_precision(left.bfloat16()).dtype == torch.float32


def test_a_split_product_rounds_its_result_alone():
    torch.manual_seed(0)
    left, right = torch.randn(2, 30, 11) + 50, torch.randn(11, 7)
    exact = left.double() @ right.double()
    split = split_product(left, right, torch.bfloat16)
    assert split.dtype == torch.bfloat16
    error = (split.double() - exact).abs().max() / exact.abs().max()
    plain = ((left.bfloat16() @ right.bfloat16()).double() - exact).abs().max() / exact.abs().max()
    assert error < 2**-8 < 2 * plain
    assert torch.equal(split_product(left, right, torch.float32), left @ right)


def test_a_split_product_has_the_gradient_of_the_product():
    torch.manual_seed(0)
    left, right = torch.randn(1, 5, 3, requires_grad=True), torch.randn(3, 4, requires_grad=True)
    plain = torch.autograd.grad((left @ right).square().sum(), (left, right))
    split = torch.autograd.grad(split_product(left, right, torch.bfloat16).float().square().sum(), (left, right))
    for mine, other in zip(split, plain, strict=True):
        torch.testing.assert_close(mine, other, rtol=0.05, atol=0.05 * float(other.abs().max()))
