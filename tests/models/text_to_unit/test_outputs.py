import torch

from sprachbund.models.text_to_unit.outputs import PredictedUnits


def test_the_likeliest_units_are_units() -> None:
    logits = torch.tensor([[[9.0, 9, 9, 9, 1, 2], [9, 0, 0, 0, 3, 2]], [[0, 9, 0, 0, 0, 1], [0, 0, 0, 0, 1, 0]]])
    nothing = torch.zeros(2, 1)
    predicted = PredictedUnits(logits, torch.tensor([2, 1]), nothing, nothing.long())
    assert predicted.units.tolist() == [[5, 4], [5, 1]]
