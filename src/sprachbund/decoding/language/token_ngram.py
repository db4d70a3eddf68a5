"""An n-gram model of the recogniser's own tokens as an automaton."""

import torch

from sprachbund.errors import VocabularyError
from sprachbund.models.ngram.model import END, NgramModel
from sprachbund.shapes import Float, Int, Tensor
from sprachbund.tokens.vocabulary import EOS, SPECIAL_SYMBOLS, Vocabulary


class TokenNgram:
    """See `Automaton`; a state is one state of the model.

    Args:
        model: its words are tokens.
        vocabulary: of the recogniser; tokens are found in the model by their symbols.

    Raises:
        VocabularyError: the model lacks most of the tokens.
    """

    def __init__(self, model: NgramModel, vocabulary: Vocabulary) -> None:
        textual = text_ids(vocabulary)
        known = [token for token in textual if vocabulary.symbol_of(token) in model.ids]
        if 2 * len(known) < len(textual) or not known:
            raise VocabularyError(
                "the n-gram model is of another vocabulary than the recogniser",
                given=f"it knows {len(known)} of {len(textual)} tokens",
                mend="Make it with --level tokens and the recogniser's own tokenizer, or with --level words.",
            )
        self._model = model
        self._words = torch.full((len(vocabulary),), -1)
        self._words[EOS] = END
        self._words[known] = torch.tensor([model.ids[vocabulary.symbol_of(token)] for token in known])

    def start(self, num_rows: int, device: torch.device) -> Int[Tensor, "row part"]:
        """See `Automaton.start`."""
        self._model, self._words = self._model.to(device), self._words.to(device)
        return torch.full((num_rows, 1), self._model.start_state, device=device)

    def log_probs(self, states: Int[Tensor, "row part"]) -> Float[Tensor, "row vocab"]:
        """See `Automaton.log_probs`."""
        log_probs = self._model.next_log_probs(states[:, 0])[:, self._words.clamp(min=0)]
        return log_probs.masked_fill(self._words < 0, -torch.inf)

    def advance(self, states: Int[Tensor, "row part"], tokens: Int[Tensor, " row"]) -> Int[Tensor, "row part"]:
        """See `Automaton.advance`; a token that the model lacks is an unknown word."""
        return self._model.step(states[:, 0], self._words[tokens].clamp(min=0))[1][:, None]


def text_ids(vocabulary: Vocabulary) -> list[int]:
    """The tokens that stand for text: neither special nor added ones."""
    return [token for token in range(len(SPECIAL_SYMBOLS), len(vocabulary)) if token not in vocabulary.added_ids]
