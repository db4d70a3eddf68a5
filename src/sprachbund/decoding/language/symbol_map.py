"""Language models over another vocabulary than the recogniser's: which token is which, by symbol."""

from collections.abc import Sequence

import torch

from sprachbund.errors import VocabularyError
from sprachbund.shapes import Float, Int, Tensor
from sprachbund.tokens.text import CHARACTER_WORD_MARK, SENTENCEPIECE_WORD_MARK
from sprachbund.tokens.vocabulary import EOS, SPECIAL_SYMBOLS, UNK, Vocabulary

_MARKS = {CHARACTER_WORD_MARK: SENTENCEPIECE_WORD_MARK, SENTENCEPIECE_WORD_MARK: CHARACTER_WORD_MARK}
_LEAST_SHARE = 0.5  # of the recogniser's symbols that a language model must know
_SHOWN = 8  # symbols in a message


class SymbolMap:
    """The tokens of a recogniser among those of a language model.

    Args:
        places: the model's id of each id of the recogniser; -1 for a token that the model lacks.
        lacking: symbols of text among those that it lacks.
    """

    def __init__(self, places: Sequence[int], lacking: tuple[str, ...] = ()) -> None:
        self.lacking = lacking
        self._places = torch.tensor(places, dtype=torch.long)
        self._is_lacking = self._places < 0
        # What the model lacks is unknown to it.
        self._fed = self._places.masked_fill(self._is_lacking, UNK)

    @classmethod
    def by_symbol(cls, recognizer: Vocabulary, model: Vocabulary) -> "SymbolMap":
        """Symbols of text are the same where they are written the same, whichever mark opens their words.

        Of the other symbols the end of the sentence alone has a counterpart.

        Raises:
            VocabularyError: the model lacks most of the recogniser's symbols.
        """
        ids = {symbol: index for index, symbol in enumerate(model.symbols) if index >= len(SPECIAL_SYMBOLS)}
        ids = {symbol: index for symbol, index in ids.items() if index not in model.added_ids}
        places, textual, lacking = [], 0, []
        for index, symbol in enumerate(recognizer.symbols):
            if index < len(SPECIAL_SYMBOLS) or index in recognizer.added_ids:
                places.append(EOS if index == EOS else -1)
                continue
            place = ids.get(symbol, ids.get(_marked_otherwise(symbol), -1))
            places.append(place)
            textual += 1
            if place < 0:
                lacking.append(symbol)
        if textual - len(lacking) < _LEAST_SHARE * textual:
            raise VocabularyError(
                "this is a language model of another vocabulary",
                given=f"it lacks {len(lacking)} of the {textual} symbols, such as {' '.join(lacking[:_SHOWN])}",
                mend="Train one with the tokenizer of the recogniser.",
            )
        return cls(places, tuple(lacking))

    @classmethod
    def by_place(cls, num_symbols: int, num_model_symbols: int) -> "SymbolMap":
        """Every id is the same in both, the special ones too: how SpeechT5's own search adds a language model."""
        return cls([index if index < num_model_symbols else -1 for index in range(num_symbols)])

    def to_recognizer(self, log_probs: Float[Tensor, "row model_vocab"]) -> Float[Tensor, "row vocab"]:
        """Log-probabilities of the recogniser's tokens; minus infinity for those that the model lacks."""
        places, is_lacking = (part.to(log_probs.device) for part in (self._fed, self._is_lacking))
        return log_probs[:, places].masked_fill(is_lacking, -torch.inf)

    def to_model(self, tokens: Int[Tensor, " row"]) -> Int[Tensor, " row"]:
        """The model's ids of tokens of the recogniser."""
        return self._fed.to(tokens.device)[tokens]


def _marked_otherwise(symbol: str) -> str:
    """The symbol with the other mark of words."""
    mark = _MARKS.get(symbol[:1])
    return symbol if mark is None else mark + symbol[1:]
