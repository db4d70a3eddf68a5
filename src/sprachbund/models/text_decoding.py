"""What a model offers that writes text one token after the other."""

from typing import Protocol, runtime_checkable

from sprachbund.models.encoded import Encoded
from sprachbund.nn.decoder_cache import DecoderCache
from sprachbund.shapes import Float, Int, Tensor


@runtime_checkable
class TextDecoding(Protocol):
    """The verbs of a text decoder. A model that could have one and was built without says so in `has_text_decoder`."""

    def decode_text(
        self,
        tokens: Int[Tensor, "batch token"],
        memory: Encoded,
        *,
        token_lengths: Int[Tensor, " batch"] | None = None,
        cache: DecoderCache | None = None,
    ) -> Float[Tensor, "batch token vocab"]:
        """Logits of the token after each of `tokens`."""

    def start_cache(self, memory: Encoded) -> DecoderCache:
        """The cache of an incremental decoding that has not begun."""

    def text_attention(
        self, tokens: Int[Tensor, "batch token"], memory: Encoded
    ) -> tuple[Float[Tensor, "batch head token frame"], ...]:
        """Where each layer looks while it reads each of `tokens`."""
