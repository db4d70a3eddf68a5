import pytest
import torch

from sprachbund.config import from_mapping, to_mapping
from sprachbund.models.speechut.config import SpeechUTConfig
from sprachbund.models.speechut.model import SpeechUT

PARAMETERS = {("base", 505): 155_818_907, ("large", 505): 378_951_067}


@pytest.mark.parametrize(("size", "units"), PARAMETERS)
def test_published_sizes_have_the_published_number_of_parameters(size, units):
    with torch.device("meta"):
        model = SpeechUT(getattr(SpeechUTConfig, size)(34, units))
    assert sum(weight.numel() for weight in model.parameters()) == PARAMETERS[size, units]


@pytest.mark.parametrize("size", ["tiny", "small"])
def test_own_sizes_are_small_and_take_changes(size):
    config = getattr(SpeechUTConfig, size)(34, 104, unit_rate=100.0)
    assert config.unit_rate == 100.0
    with torch.device("meta"):
        assert sum(weight.numel() for weight in SpeechUT(config).parameters()) < 7e6


@pytest.mark.parametrize("size", ["tiny", "small", "base", "large"])
def test_configurations_survive_the_disk(size):
    config = getattr(SpeechUTConfig, size)(34, 104)
    assert from_mapping(SpeechUTConfig, to_mapping(config), "test") == config
