"""An encoder-decoder from tokens to tokens (Vaswani et al. 2017), one token after the other.

It makes the reduced units of text (the generator of SpeechUT, Zhang et al. 2022), and the phonemes of letters.
"""

from torch import nn

from sprachbund.lengths import padding_mask_from_lengths
from sprachbund.models.encoded import Encoded
from sprachbund.models.sequence.config import SequenceConfig
from sprachbund.nn.decoder import DecoderStack
from sprachbund.nn.decoder_cache import DecoderCache
from sprachbund.nn.prenets import TextDecoderPrenet
from sprachbund.nn.scaled_initialization import initialize_by_width
from sprachbund.nn.transformer import EncoderStack
from sprachbund.shapes import Float, Int, Tensor

PADDING = 1


class SequenceModel(nn.Module):
    """The model; its verbs are what objectives and decoders call. The head shares the embeddings of what is written."""

    def __init__(self, config: SequenceConfig) -> None:
        super().__init__()
        self.config = config
        self.source_prenet = _prenet(config.vocab_size, config.encoder.dim, config.dropout)
        self.encoder = EncoderStack(config.encoder)
        self.target_prenet = _prenet(config.num_targets, config.decoder.dim, config.dropout)
        self.decoder = DecoderStack(config.decoder, config.encoder.dim)
        self.head = nn.Linear(config.decoder.dim, config.num_targets, bias=False)
        self.head.weight = self.target_prenet.embedding.weight
        initialize_by_width(self)

    def encode_text(self, tokens: Int[Tensor, "batch token"], token_lengths: Int[Tensor, " batch"]) -> Encoded:
        """Encode token ids, padded at the end."""
        padding_mask = padding_mask_from_lengths(token_lengths, tokens.shape[1])
        return Encoded(self.encoder(self.source_prenet(tokens), padding_mask), token_lengths)

    def decode_text(
        self, tokens: Int[Tensor, "batch target"], memory: Encoded, *, cache: DecoderCache | None = None
    ) -> Float[Tensor, "batch target vocab"]:
        """Logits of the target after each of `tokens`.

        Args:
            tokens: what was written so far; with a cache, only what was not yet given to it.
            memory: the encoder's states; with a cache, those it was started with.
            cache: from `start_cache`; it is brought up to date.
        """
        if cache is None:
            states = self.decoder(self.target_prenet(tokens), memory.states, memory.padding_mask).states
        else:
            states = self.decoder.step(self.target_prenet(tokens, first=cache.length), cache).states
        logits: Tensor = self.head(states)
        return logits

    def start_cache(self, memory: Encoded) -> DecoderCache:
        """The cache of an incremental decoding that has not begun."""
        return self.decoder.start_cache(memory.states, memory.padding_mask)


def _prenet(num_symbols: int, dim: int, dropout: float) -> TextDecoderPrenet:
    embedding = nn.Embedding(num_symbols, dim, padding_idx=PADDING)
    return TextDecoderPrenet(embedding, dropout=dropout, is_scaled=True, has_positions=True, has_norm=False)
