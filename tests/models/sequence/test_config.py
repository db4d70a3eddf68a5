import json

import pytest
import torch

from models.sequence.sizes import small_config
from sprachbund.config import from_mapping, to_mapping
from sprachbund.models.sequence.config import SequenceConfig
from sprachbund.models.sequence.model import SequenceModel


@pytest.mark.parametrize(("size", "millions"), [("tiny", (0.9, 1.3)), ("base", (10.5, 12.0))])
def test_the_sizes_are_what_they_say(size: str, millions: tuple[float, float]) -> None:
    config = getattr(SequenceConfig, size)(34, 104)
    with torch.device("meta"):
        count = sum(weight.numel() for weight in SequenceModel(config).parameters())
    assert millions[0] < count / 1e6 < millions[1]
    assert (config.vocab_size, config.num_targets) == (34, 104)


def test_a_size_can_be_changed() -> None:
    assert SequenceConfig.tiny(34, 104, dropout=0.3).dropout == 0.3
    assert SequenceConfig.base(34, 104, dropout=0.3).dropout == 0.3


def test_the_configuration_is_plain_values() -> None:
    config = small_config()
    assert from_mapping(SequenceConfig, json.loads(json.dumps(to_mapping(config))), "here") == config
