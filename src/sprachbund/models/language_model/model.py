"""A Transformer that tells how likely each token comes next (Vaswani et al. 2017, its decoder without a memory)."""

from torch import nn

from sprachbund.errors import DataError
from sprachbund.models.language_model.config import TransformerLanguageConfig
from sprachbund.nn.causal import CausalCache, CausalStack
from sprachbund.nn.prenets import FIRST_POSITION, TextDecoderPrenet
from sprachbund.nn.scaled_initialization import initialize_by_width
from sprachbund.shapes import Float, Int, Tensor
from sprachbund.tokens.vocabulary import PAD


class TransformerLanguageModel(nn.Module):
    """The model; `predict_next` is its verb. Sentences begin with the mark of their end, as in fairseq."""

    def __init__(self, config: TransformerLanguageConfig) -> None:
        super().__init__()
        self.config = config
        self.prenet = _prenet(config)
        self.decoder = CausalStack(config.decoder, has_final_norm=config.has_final_norm)
        self.head = nn.Linear(config.decoder.dim, config.vocab_size, bias=False)
        if config.share_embeddings:
            self.head.weight = self.prenet.embedding.weight
        initialize_by_width(self)
        if not config.share_embeddings:
            nn.init.normal_(self.head.weight, std=config.decoder.dim**-0.5)

    def predict_next(
        self, tokens: Int[Tensor, "batch token"], *, cache: CausalCache | None = None
    ) -> Float[Tensor, "batch token vocab"]:
        """Logits of the token after each of `tokens`. What stands behind a token changes nothing, padding neither.

        Args:
            tokens: the beginning of each sentence, from the mark on; with a cache, only what it was not yet given.
            cache: from `start_cache`; it is brought up to date.

        Raises:
            DataError: more tokens than there are learned positions.
        """
        first = 0 if cache is None else cache.length
        self._check_length(first + tokens.shape[1])
        states = self.prenet(tokens, first=first)
        states = self.decoder(states) if cache is None else self.decoder.step(states, cache)
        logits: Tensor = self.head(states)
        return logits

    def start_cache(self, num_rows: int) -> CausalCache:
        """The cache of `num_rows` sentences that have not begun."""
        return self.decoder.start_cache(num_rows)

    def _check_length(self, length: int) -> None:
        most = self.config.max_positions
        if self.config.positions == "learned" and length > most:
            raise DataError(
                "a line is longer than the positions that this language model has learned",
                given=f"{length} tokens, there are {most} positions",
                mend="Leave longer lines out, or allow fewer tokens in decoding.",
            )


def _prenet(config: TransformerLanguageConfig) -> TextDecoderPrenet:
    dim, learned = config.decoder.dim, None
    if config.positions == "learned":
        learned = nn.Embedding(FIRST_POSITION + config.max_positions, dim, padding_idx=PAD)
    return TextDecoderPrenet(
        nn.Embedding(config.vocab_size, dim, padding_idx=PAD),
        dropout=config.dropout,
        is_scaled=config.scale_embedding,
        has_positions=config.positions == "sinusoids",
        has_norm=config.has_embedding_norm,
        learned=learned,
    )
