"""Pictures of one clip: where the decoder looked while it spelled, and what the units stand for."""

from typing import Any

import torch

from sprachbund.data.batches.collate import transcript_of
from sprachbund.data.storage.waveforms import read_waveform
from sprachbund.data.units import require_units
from sprachbund.decoding.recognition.recognizer import Recognizer
from sprachbund.evaluation.plots import plot_attention
from sprachbund.evaluation.unit_plot import plot_clip
from sprachbund.models.speecht5.model import SpeechT5
from sprachbund.tokens.units import UnitModel
from sprachbund.tokens.vocabulary import EOS


@torch.no_grad()
def draw_attention(recognizer: Recognizer, cut: Any) -> bytes:
    """The last decoder layer's attention, mean over heads, while the decoder is fed the reference."""
    model, tokenizer = recognizer.model, recognizer.tokenizer
    assert isinstance(model, SpeechT5), "the demo trains one"
    memory = model.encode_speech(*recognizer.collate([read_waveform(cut)]))
    ids = tokenizer.encode(transcript_of(cut))
    states = model.text_decoder_prenet(torch.tensor([[EOS, *ids]], device=memory.states.device))
    layers = model.decoder(states, memory.states, memory.padding_mask, need_weights=True).weights
    weights = layers[-1][0].mean(dim=0).float().cpu().numpy()  # head token frame -> token frame
    symbols = [*(tokenizer.vocabulary.symbol_of(index) for index in ids), "</s>"]
    return plot_attention(weights, symbols, title=transcript_of(cut))


def draw_units(cut: Any, units: UnitModel) -> bytes:
    """Waveform, spectrogram and units of a labelled cut on one time axis."""
    require_units(cut, units.fingerprint)
    return plot_clip(cut)
