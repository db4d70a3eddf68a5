import pytest
import torch

from sprachbund.lengths import padding_mask_from_lengths


def test_shapes_are_checked_in_the_test_run():
    with pytest.raises(Exception, match=r"(?i)type-check"):
        padding_mask_from_lengths(torch.zeros(2, 3, dtype=torch.long), 4)
