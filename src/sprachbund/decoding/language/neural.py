"""A neural language model in the search: how likely it finds each token of the recogniser next."""

import torch

from sprachbund.decoding.language.symbol_map import SymbolMap
from sprachbund.errors import CheckpointError
from sprachbund.models.language_model.model import TransformerLanguageModel
from sprachbund.shapes import Float, Int, Tensor


class NeuralScorer:
    """A `Scorer` of the recogniser's tokens.

    Args:
        model: in evaluation mode.
        symbols: the recogniser's tokens among those of the model.
        num_rows: hypotheses at the beginning, one an utterance.
    """

    def __init__(self, model: TransformerLanguageModel, symbols: SymbolMap, num_rows: int) -> None:
        self._model, self._symbols = model, symbols
        self._cache = model.start_cache(num_rows)

    @torch.no_grad()
    def score(self, last_tokens: Int[Tensor, " row"]) -> Float[Tensor, "row vocab"]:
        """See `Scorer.score`.

        Raises:
            CheckpointError: the model gives values that are not numbers.
            DataError: a hypothesis is longer than what the model can read.
        """
        fed = self._symbols.to_model(last_tokens)
        logits = self._model.predict_next(fed[:, None], cache=self._cache)[:, 0].float()
        if not bool(torch.isfinite(logits).all()):
            raise CheckpointError(
                "the language model gives values that are not numbers",
                given="nan or infinite logits",
                mend="Use an earlier checkpoint; the training that made this one has diverged.",
            )
        return self._symbols.to_recognizer(logits.log_softmax(dim=1))

    def reorder(self, rows: Int[Tensor, " kept"]) -> None:
        """See `Scorer.reorder`."""
        self._cache.reorder(rows)
