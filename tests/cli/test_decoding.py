import pytest
import torch

from sprachbund.cli.decoding import decoding_config, set_threads
from sprachbund.decoding.recognizer import DecodingConfig
from sprachbund.errors import RecipeError


@pytest.mark.parametrize("method", ["ctc", "attention"])
def test_options_become_a_configuration(method: str):
    config = decoding_config(method, 3, 7.5)
    assert isinstance(config, DecodingConfig)
    assert (config.method, config.beam, config.batch_seconds) == (method, 3, 7.5)


def test_an_unknown_decoder_is_refused():
    with pytest.raises(RecipeError, match=r"no such decoder.*given: greedy.*--decoder ctc or --decoder attention"):
        decoding_config("greedy", 3, 7.5)


def test_threads_are_set_where_asked_for(monkeypatch: pytest.MonkeyPatch):
    asked: list[int] = []
    monkeypatch.setattr(torch, "set_num_threads", asked.append)
    set_threads(0)
    set_threads(3)
    assert asked == [3]
