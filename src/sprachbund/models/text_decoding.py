"""The verbs of models that write text one token after the other."""

from torch import nn

from sprachbund.lengths import padding_mask_from_lengths
from sprachbund.models.encoded import Encoded
from sprachbund.nn.decoder import Decoded, DecoderStack
from sprachbund.nn.decoder_cache import DecoderCache
from sprachbund.nn.prenets import TextDecoderPrenet
from sprachbund.shapes import Float, Int, Tensor


class TextDecoding:
    """What a model inherits that has these three parts, beside `torch.nn.Module`.

    A model that could have a text decoder and was built without one says so in `has_text_decoder`.
    """

    text_decoder_prenet: TextDecoderPrenet
    decoder: DecoderStack | None
    text_head: nn.Linear

    @property
    def has_text_decoder(self) -> bool:
        """Whether it was built with one."""
        return self.decoder is not None

    def decode_text(
        self,
        tokens: Int[Tensor, "batch token"],
        memory: Encoded,
        *,
        token_lengths: Int[Tensor, " batch"] | None = None,
        cache: DecoderCache | None = None,
    ) -> Float[Tensor, "batch token vocab"]:
        """Logits of the token after each of `tokens`.

        Args:
            tokens: what was said so far; with a cache, only what was not yet given to it.
            memory: the encoder's states; with a cache, those it was started with.
            token_lengths: valid tokens; logits after them are zero.
            cache: from `start_cache`; it is brought up to date.
        """
        decoder = self._text_decoder
        if cache is not None:
            states = decoder.step(self.text_decoder_prenet(tokens, first=cache.length), cache).states
        else:
            states = decoder(self.text_decoder_prenet(tokens), memory.states, memory.padding_mask).states
        if token_lengths is not None:
            states = states.masked_fill(padding_mask_from_lengths(token_lengths, tokens.shape[1])[:, :, None], 0.0)
        logits: Tensor = self.text_head(states)
        return logits

    def text_attention(
        self, tokens: Int[Tensor, "batch token"], memory: Encoded
    ) -> tuple[Float[Tensor, "batch head token frame"], ...]:
        """Where each layer of the text decoder looks while it reads each of `tokens`: weights that sum to 1.

        Args:
            tokens: from the start token on.
            memory: the encoder's states.
        """
        states = self.text_decoder_prenet(tokens)
        decoded: Decoded = self._text_decoder(states, memory.states, memory.padding_mask, need_weights=True)
        return decoded.weights

    def start_cache(self, memory: Encoded) -> DecoderCache:
        """The cache of an incremental decoding that has not begun."""
        return self._text_decoder.start_cache(memory.states, memory.padding_mask)

    @property
    def _text_decoder(self) -> DecoderStack:
        assert self.decoder is not None, "built without a decoder"
        return self.decoder
