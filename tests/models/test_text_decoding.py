import torch

from models.speech_units.sizes import build
from models.speecht5.sizes import build as build_speecht5
from sprachbund.models.hubert.config import HubertConfig
from sprachbund.models.hubert.model import Hubert
from sprachbund.models.text_decoding import TextDecoding


def test_models_say_whether_they_write_text():
    with torch.device("meta"):
        encoder = Hubert(HubertConfig.tiny())
    assert not encoder.has_text_decoder and not isinstance(encoder, TextDecoding)
    for model, has_decoder in ((build_speecht5(), True), (build("speechut"), True), (build("speechlm"), False)):
        assert isinstance(model, TextDecoding)
        assert model.has_text_decoder == has_decoder
