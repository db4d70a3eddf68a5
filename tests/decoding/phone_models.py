"""Phone models for tests: real ones with random weights, and one that reads phones off the samples themselves."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from lhotse import CutSet, MonoCut, Recording, SupervisionSegment
from lhotse.audio import AudioSource

from sprachbund.checkpoints.store import StoredModel, save_model
from sprachbund.config import to_mapping
from sprachbund.decoding.phones import aligner, recognizer
from sprachbund.decoding.phones.model import PhoneModel
from sprachbund.signal.audio import write_audio
from sprachbund.tokens.lexicon import Lexicon
from sprachbund.tokens.phones import phone_symbols, phone_vocabulary
from sprachbund.tokens.symbols import SymbolTokenizer
from sprachbund.tokens.vocabulary import ADDED_SYMBOLS
from tiny import hubert_model

SYMBOLS = phone_symbols(places=False)
FRAME = 320  # samples
WAYS = {"the": ("DH AH", "DH IY"), "cat": ("K AE T",), "a": ("AH", "EY"), "tea": ("T IY",)}


def write_phone_model(folder, *, places=False, seed=0):
    """A frame classifier with random weights."""
    symbols = phone_symbols(places=places)
    facts = {"stage": "encoder pretraining", "phones": " ".join(symbols)}
    return _write(folder, hubert_model(seed, num_units=4 + len(symbols), unit_rate=50.0), None, facts)


def write_ctc_model(folder, seed=0):
    """CTC over phones with random weights."""
    tokenizer = SymbolTokenizer(phone_vocabulary(places=False).with_symbols(*ADDED_SYMBOLS))
    model = hubert_model(seed, num_units=None, vocab_size=len(tokenizer.vocabulary))
    return _write(folder, model, tokenizer, {"stage": "recognition"})


def _write(folder, model, tokenizer, facts):
    save_model(folder, StoredModel("hubert", to_mapping(model.config), model.state_dict(), tokenizer, facts))
    return folder


@dataclass(frozen=True, eq=False)
class Oracle(PhoneModel):
    """Hears in each 20 ms the symbol whose place is told by the loudness of the samples."""

    def hear(self, waveform):
        """Nearly all of the probability goes to one symbol a frame."""
        frames = waveform[: len(waveform) // FRAME * FRAME].reshape(-1, FRAME)[:, FRAME // 2]
        places = torch.from_numpy(np.rint(frames * 100).astype(np.int64))
        return (8.0 * torch.nn.functional.one_hot(places, len(self.symbols)).float()).log_softmax(dim=1)


def oracle(is_ctc=False):
    """An oracle for the phones without places."""
    return Oracle(hubert_model(), SYMBOLS, tuple(range(len(SYMBOLS))), is_ctc, "oracle")


def use_oracle(monkeypatch, **changes):
    """Let aligner and recogniser hear by an oracle, whatever folder they are given, and know a few words."""
    model = oracle(**changes)
    use_small_lexicon(monkeypatch)
    for module in (aligner, recognizer):
        monkeypatch.setattr(module, "load_phone_model", lambda folder: model)
        monkeypatch.setattr(module, "known_phone_model", lambda folder, fingerprint: model)


def use_small_lexicon(monkeypatch):
    """Let the aligner know the words of `WAYS` only, for the time that reading all others takes."""
    ways = {word: tuple(tuple(way.split()) for way in found) for word, found in WAYS.items()}
    monkeypatch.setattr(aligner, "_lexicon", lambda: Lexicon(ways))


def spoken(pieces):
    """The waveform in which an oracle hears these (symbol, frames)."""
    places = np.repeat([SYMBOLS.index(symbol) for symbol, _ in pieces], [FRAME * frames for _, frames in pieces])
    return (places / 100).astype(np.float32)


def write_spoken(folder: Path, clips):
    """Cuts of clips, each a text (None for a cut without supervision) and the (symbol, frames) that are heard."""
    cuts = []
    for number, (text, pieces) in enumerate(clips):
        identity, waveform = f"clip-{number}", spoken(pieces)
        path = folder / f"{identity}.wav"
        path.parent.mkdir(parents=True, exist_ok=True)
        write_audio(path, waveform, 16_000)
        seconds = len(waveform) / 16_000
        recording = Recording(identity, [AudioSource("file", [0], str(path))], 16_000, len(waveform), seconds)
        said = [] if text is None else [SupervisionSegment(identity, identity, 0.0, seconds, text=text, language="en")]
        cuts.append(MonoCut(identity, 0.0, seconds, 0, recording=recording, supervisions=said))
    return CutSet.from_cuts(cuts)
