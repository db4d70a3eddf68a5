import pytest
import torch

from sprachbund.config import from_mapping, to_mapping
from sprachbund.models.speechlm.config import SpeechLMConfig
from sprachbund.models.speechlm.model import SpeechLM

PARAMETERS = {("base", 369): 98_815_906, ("base", 505): 98_989_986, ("large", 369): 321_782_946}


@pytest.mark.parametrize(("size", "units"), PARAMETERS)
def test_published_sizes_have_the_published_number_of_parameters(size, units):
    with torch.device("meta"):
        model = SpeechLM(getattr(SpeechLMConfig, size)(34, units))
    assert sum(weight.numel() for weight in model.parameters()) == PARAMETERS[size, units]


@pytest.mark.parametrize("size", ["tiny", "small"])
def test_own_sizes_are_small_and_take_changes(size):
    config = getattr(SpeechLMConfig, size)(34, 104, unit_rate=100.0)
    assert config.unit_rate == 100.0
    with torch.device("meta"):
        assert sum(weight.numel() for weight in SpeechLM(config).parameters()) < 7e6


@pytest.mark.parametrize("size", ["tiny", "small", "base", "large"])
def test_configurations_survive_the_disk(size):
    config = getattr(SpeechLMConfig, size)(34, 104)
    assert from_mapping(SpeechLMConfig, to_mapping(config), "test") == config
