"""Text that is symbols already, parted by spaces: phones ("HH AH L OW") or units ("17 296 20")."""

from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from sprachbund.errors import VocabularyError
from sprachbund.tokens.tokenizer_files import save_tokenizer, textual_symbols
from sprachbund.tokens.vocabulary import Vocabulary


class SymbolTokenizer:
    """A `TextTokenizer` that takes every symbol between spaces for one token.

    Args:
        vocabulary: its symbols hold no white space.

    Raises:
        VocabularyError: a symbol holds white space, so that no text could have it.
    """

    def __init__(self, vocabulary: Vocabulary) -> None:
        if wrong := next((symbol for symbol in vocabulary.symbols if symbol.split() != [symbol]), None):
            raise VocabularyError(
                "a symbol holds white space, which parts symbols",
                given=repr(wrong),
                mend="Write the symbol without spaces, or take a character tokenizer.",
            )
        self.vocabulary = vocabulary

    def encode(self, text: str) -> list[int]:
        """See `TextTokenizer.encode`."""
        return self.vocabulary.ids_of(text.split())

    def decode(self, ids: Iterable[int]) -> str:
        """See `TextTokenizer.decode`."""
        return " ".join(textual_symbols(self.vocabulary, ids))

    def unknown(self, text: str) -> Counter[str]:
        """The symbols of `text` that become ``<unk>``, with their counts."""
        return Counter(symbol for symbol in text.split() if symbol not in self.vocabulary)

    def word_start_ids(self) -> frozenset[int]:
        """See `TextTokenizer.word_start_ids`: every symbol stands alone, as a word does."""
        return frozenset(range(len(self.vocabulary))) - self.vocabulary.added_ids

    def save(self, folder: Path | str) -> None:
        """Write ``vocabulary.txt`` and ``tokenizer.json``."""
        save_tokenizer(Path(folder), "symbols", self.vocabulary, settings={})
