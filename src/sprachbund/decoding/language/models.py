"""Language models from the disk, over the tokens of a recogniser: neural ones, n-grams, and lists of words."""

from dataclasses import dataclass
from pathlib import Path

import torch

from sprachbund.checkpoints.store import load_model
from sprachbund.decoding.language.automata import Automaton, AutomatonScorer
from sprachbund.decoding.language.neural import NeuralScorer
from sprachbund.decoding.language.ngrams import ngram_automaton
from sprachbund.decoding.language.symbol_map import SymbolMap
from sprachbund.decoding.language.word_ngram import WordNgram
from sprachbund.decoding.search.roles import Scorer
from sprachbund.errors import CheckpointError, RecipeError
from sprachbund.models.language_model.model import TransformerLanguageModel
from sprachbund.models.ngram.model import word_list_model
from sprachbund.models.ngram.store import is_ngram, load_any_ngram
from sprachbund.models.table import build_language_model
from sprachbund.tokens.normalize import normalize_text
from sprachbund.tokens.text import TextTokenizer


@dataclass(frozen=True)
class NeuralLanguageModel:
    """A Transformer, which reads the whole sentence at each token."""

    model: TransformerLanguageModel
    symbols: SymbolMap
    name: str = "lm"
    automaton: None = None  # its state is no small number

    def scorer(self, num_rows: int, device: torch.device) -> Scorer:
        """As one of the scorers of the beam search, for so many utterances."""
        return NeuralScorer(self.model.to(device), self.symbols, num_rows)


@dataclass(frozen=True)
class AutomatonLanguageModel:
    """An n-gram model or a list of words, whose state is a few integers."""

    automaton: Automaton
    name: str = "ngram"

    def scorer(self, num_rows: int, device: torch.device) -> Scorer:
        """As one of the scorers of the beam search, for so many utterances."""
        return AutomatonScorer(self.automaton, num_rows, device)


LanguageModel = NeuralLanguageModel | AutomatonLanguageModel


def load_language_model(path: Path | str, tokenizer: TextTokenizer) -> LanguageModel:
    """A language model over the tokens of a recogniser.

    Args:
        path: a model folder of a neural one, a folder of an n-gram model, an ARPA file, or a binary file of KenLM.
        tokenizer: of the recogniser.

    Raises:
        CheckpointError: there is none at `path`, or it cannot be read.
        VocabularyError: it is of another vocabulary.
    """
    place = Path(path)
    if not place.exists():
        mend = "Make one with `sprachbund lm ngram` or `sprachbund lm train`."
        raise CheckpointError("there is no language model", where=place, mend=mend)
    if is_ngram(place):
        return AutomatonLanguageModel(ngram_automaton(load_any_ngram(place), tokenizer))
    stored = load_model(place)
    model = build_language_model(stored, where=str(place))
    if stored.tokenizer is None:
        mend = "Copy the whole model folder."
        raise CheckpointError("this language model has no tokenizer", where=place, mend=mend)
    return NeuralLanguageModel(model.eval(), SymbolMap.by_symbol(tokenizer.vocabulary, stored.tokenizer.vocabulary))


def load_lexicon(path: Path | str, tokenizer: TextTokenizer) -> AutomatonLanguageModel:
    """The words of a file, normalised like transcripts, as a model that says nothing else and prefers none of them.

    Raises:
        RecipeError: the file cannot be read, or holds no word.
    """
    try:
        words = sorted(set(normalize_text(Path(path).read_text("utf-8")).split()))
    except (OSError, UnicodeDecodeError) as error:
        mend = "Give a text file (UTF-8) of words, one a line."
        raise RecipeError("the lexicon cannot be read", where=path, given=error, mend=mend) from None
    if not words:
        raise RecipeError("the lexicon holds no word", where=path, mend="Give a file of words, one a line.")
    automaton = WordNgram(word_list_model(words), tokenizer, unknown_penalty=None)
    return AutomatonLanguageModel(automaton, name="lexicon")
