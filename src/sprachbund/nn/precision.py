"""Places where half precision would spoil the result."""

import torch


def single_precision(device: torch.device) -> torch.autocast:
    """A block in which automatic mixed precision leaves float32 as it is."""
    return torch.autocast(device.type, enabled=False)
