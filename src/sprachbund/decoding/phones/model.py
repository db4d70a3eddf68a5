"""A model that hears phones: an encoder whose units are phones, or one with CTC over phones."""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import torch

from sprachbund.checkpoints.store import StoredModel, load_model
from sprachbund.data.batches.crops import NUM_SPECIALS
from sprachbund.errors import CheckpointError
from sprachbund.lengths import frames_from_samples, samples_per_frame
from sprachbund.models.features import encoder_fingerprint
from sprachbund.models.speech_encoder import SpeechEncoder
from sprachbund.models.table import build_model
from sprachbund.shapes import Array, Float, Tensor
from sprachbund.signal.audio import SAMPLING_RATE
from sprachbund.signal.features import normalize_waveform
from sprachbund.tokens.phones import PLACES, SILENCE
from sprachbund.tokens.symbols import SymbolTokenizer
from sprachbund.tokens.vocabulary import ADDED_SYMBOLS, SPECIAL_SYMBOLS

PHONES_FACT = "phones"  # of a model folder: the names of the units, parted by spaces


@dataclass(frozen=True, eq=False)
class PhoneModel:
    """An encoder in evaluation mode, and which of its outputs are phones."""

    encoder: SpeechEncoder
    symbols: tuple[str, ...]  # phones and silence; with CTC silence stands for the blank
    outputs: tuple[int, ...]  # of the head, one a symbol
    is_ctc: bool
    fingerprint: str  # of the weights

    @property
    def silence(self) -> int:
        """The place of silence, or of the blank, among the symbols."""
        return self.symbols.index(SILENCE)

    @property
    def has_places(self) -> bool:
        """Whether phones are told apart by their place in the word."""
        return any(symbol.endswith(PLACES) for symbol in self.symbols)

    @property
    def frame_shift(self) -> float:
        """Seconds between two frames."""
        return samples_per_frame(self.encoder.speech_prenet.frontend.strides) / SAMPLING_RATE

    @torch.no_grad()
    def hear(self, waveform: Float[Array, " sample"]) -> Float[Tensor, "frame symbol"]:
        """Log-probabilities of the symbols in every frame of a 16 kHz waveform; no frames where it is too short.

        It is heard alone and on one thread, so that nothing depends on batches and processes.
        """
        config = self.encoder.config
        if frames_from_samples(len(waveform), self.encoder.speech_prenet.frontend.strides) == 0:
            return torch.zeros(0, len(self.symbols))
        batch = torch.from_numpy(normalize_waveform(waveform) if config.is_normalized else waveform).float()[None]
        threads = torch.get_num_threads()
        torch.set_num_threads(1)
        try:
            encoded = self.encoder.encode_speech(batch, torch.tensor([batch.shape[1]]))
            logits = self.encoder.ctc_logits(encoded) if self.is_ctc else self.encoder.unit_logits(encoded.states)
        finally:
            torch.set_num_threads(threads)
        # Probabilities among the symbols: marks such as padding are never told.
        heard: Tensor = logits[0, :, list(self.outputs)].float().log_softmax(dim=1)
        return heard


def load_phone_model(folder: Path) -> PhoneModel:
    """The phone model in a model folder.

    Raises:
        CheckpointError: the folder is not a sound model folder, or its model does not tell phones.
    """
    stored = load_model(folder)
    encoder = build_model(stored, where=str(folder)).eval()
    named = stored.facts.get(PHONES_FACT)
    if isinstance(named, str) and encoder.unit_predictor is not None:
        symbols = tuple(named.split())
        outputs = tuple(range(NUM_SPECIALS, NUM_SPECIALS + len(symbols)))
        is_whole = len(encoder.unit_predictor.embeddings) == NUM_SPECIALS + len(symbols)
    else:
        symbols, outputs = _ctc_symbols(stored)
        is_whole = bool(symbols)
    if not is_whole or SILENCE not in symbols or len(set(symbols)) < len(symbols):
        raise CheckpointError(
            "this model does not tell phones",
            where=folder,
            given=f"{stored.kind}, {stored.facts.get('stage', 'unknown stage')}",
            mend="Name a model of the recipe hubert_tiny_phones, or one of CTC over phones.",
        )
    return PhoneModel(encoder, symbols, outputs, not isinstance(named, str), encoder_fingerprint(encoder))


@lru_cache(maxsize=1)
def known_phone_model(folder: Path, fingerprint: str) -> PhoneModel:
    """The phone model in `folder`, read once in each process.

    Raises:
        CheckpointError: as `load_phone_model`, or it is another one than that of `fingerprint`.
    """
    model = load_phone_model(folder)
    if model.fingerprint != fingerprint:
        raise CheckpointError("the model was changed while it was used", where=folder, mend="Give the command again.")
    return model


def _ctc_symbols(stored: StoredModel) -> tuple[tuple[str, ...], tuple[int, ...]]:
    """The phones of a tokenizer of symbols, and silence for its blank, with their ids; none of another tokenizer."""
    if not isinstance(stored.tokenizer, SymbolTokenizer):
        return (), ()
    vocabulary = stored.tokenizer.vocabulary
    dropped = {*SPECIAL_SYMBOLS, *ADDED_SYMBOLS, SILENCE}
    phones = [symbol for symbol in vocabulary.symbols if symbol not in dropped]
    return (SILENCE, *phones), (vocabulary.blank_id, *vocabulary.ids_of(phones))
