import json

import pytest
import torch

from models.text_to_unit.sizes import UNUSED, small_config
from sprachbund.config import from_mapping, to_mapping
from sprachbund.models.text_to_unit.config import TextToUnitConfig
from sprachbund.models.text_to_unit.model import TextToUnit
from sprachbund.nn.convolutional_transformer import ConvolutionalStackConfig


@pytest.mark.parametrize(
    ("size", "millions"), [("tiny", (1.7, 2.3)), ("small", (39, 41)), ("medium", (59, 61)), ("large", (134, 136))]
)
def test_the_sizes_are_what_they_say(size: str, millions: tuple[float, float]) -> None:
    config = getattr(TextToUnitConfig, size)(46, 504)
    with torch.device("meta"):
        count = sum(weight.numel() for weight in TextToUnit(config).parameters())
    assert millions[0] < count / 1e6 < millions[1]
    assert (config.vocab_size, config.num_units) == (46, 504)


@pytest.mark.parametrize("size", ["tiny", "small", "medium", "large"])
def test_a_size_can_be_changed(size: str) -> None:
    assert getattr(TextToUnitConfig, size)(46, 504, dropout=0.3).dropout == 0.3


def test_positions_begin_small_in_the_size_for_little_data() -> None:
    assert TextToUnitConfig.tiny(46).position_scale == 0.1
    assert TextToUnitConfig.small(46).position_scale == 1.0


def test_the_configuration_is_plain_values() -> None:
    config = small_config(**UNUSED)
    assert from_mapping(TextToUnitConfig, json.loads(json.dumps(to_mapping(config))), "here") == config


def test_both_stacks_have_one_width() -> None:
    with pytest.raises(ValueError, match=r"encoder\.dim \(256\) and decoder\.dim \(128\)"):
        TextToUnitConfig(num_phones=46, decoder=ConvolutionalStackConfig(dim=128))
