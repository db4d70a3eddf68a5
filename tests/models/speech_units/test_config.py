import pytest

from models.speech_units.sizes import SIZES, STACK
from sprachbund.models.speech_units.config import SpeechUnitConfig, base_decoder, base_stack, large_stack
from sprachbund.nn.transformer import StackConfig


def test_the_blank_is_the_first_symbol_where_there_is_a_ctc_head():
    assert SpeechUnitConfig(**SIZES).blank == 0
    assert SpeechUnitConfig(**{**SIZES, "has_ctc_head": False}).blank is None


def test_the_two_encoders_are_of_one_width():
    narrow = StackConfig(dim=12, ffn_dim=20, num_heads=3)
    with pytest.raises(ValueError, match=r"encoder.dim \(24\) and unit_encoder.dim \(12\) must be equal"):
        SpeechUnitConfig(**{**SIZES, "unit_encoder": narrow})


@pytest.mark.parametrize("part", [{}, {"has_ctc_head": False, "decoder": STACK}])
def test_text_parts_need_a_dictionary(part):
    with pytest.raises(ValueError, match="vocab_size is null"):
        SpeechUnitConfig(**{**SIZES, "vocab_size": None, **part})


def test_published_stacks():
    assert (base_stack().num_layers, base_stack().num_heads, base_stack().norm_first) == (6, 8, False)
    assert (large_stack().num_layers, large_stack().dim, large_stack().norm_first) == (12, 1024, True)
    assert (base_decoder().num_heads, base_decoder().max_relative_distance) == (12, 24)
