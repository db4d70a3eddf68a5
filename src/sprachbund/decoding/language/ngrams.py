"""Which automaton an n-gram model is for a recogniser: of its tokens, or of words that it spells."""

from sprachbund.decoding.language.token_ngram import TokenNgram, text_ids
from sprachbund.decoding.language.word_ngram import UNKNOWN_PENALTY, WordNgram
from sprachbund.models.ngram.kenlm_model import KenlmModel
from sprachbund.models.ngram.model import SPECIAL_WORDS, NgramModel
from sprachbund.tokens.text import TextTokenizer


def ngram_automaton(
    model: NgramModel | KenlmModel, tokenizer: TextTokenizer, *, unknown_penalty: float | None = UNKNOWN_PENALTY
) -> TokenNgram | WordNgram:
    """The automaton of a model over the tokens of a recogniser.

    Args:
        model: of tokens or of words; where it does not say which (ARPA files do not), it is of tokens if all that it
            knows are tokens of the recogniser. Binary files of KenLM are taken for models of words.
        tokenizer: the recogniser's.
        unknown_penalty: see `WordNgram`.

    Raises:
        VocabularyError: the model does not fit the recogniser.
    """
    if isinstance(model, NgramModel) and is_of_tokens(model, tokenizer):
        return TokenNgram(model, tokenizer.vocabulary)
    return WordNgram(model, tokenizer, unknown_penalty=unknown_penalty)


def is_of_tokens(model: NgramModel, tokenizer: TextTokenizer) -> bool:
    """Whether the words of a model are tokens."""
    if model.level is not None:
        return model.level == "tokens"
    symbols = {tokenizer.vocabulary.symbol_of(token) for token in text_ids(tokenizer.vocabulary)}
    return set(model.words) - set(SPECIAL_WORDS) <= symbols
