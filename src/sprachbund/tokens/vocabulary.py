"""Symbols and their ids: four special symbols first, then those of a dictionary, then those a task adds.

The order is fairseq's (``<s> <pad> </s> <unk>``, the lines of ``dict.txt``, added symbols), so that the rows of
released embeddings keep their meaning. Files are written in the same ``symbol count`` form and read by the same reader.
"""

import hashlib
from collections.abc import Iterable
from pathlib import Path

from sprachbund.errors import VocabularyError
from sprachbund.files import write_atomically

BOS, PAD, EOS, UNK = 0, 1, 2, 3
SPECIAL_SYMBOLS = ("<s>", "<pad>", "</s>", "<unk>")
MASK_SYMBOL = "<mask>"
BLANK_SYMBOL = "<ctc_blank>"
# SpeechT5 adds the two in this order behind its dictionary.
ADDED_SYMBOLS = (MASK_SYMBOL, BLANK_SYMBOL)

# A dictionary line with this flag takes a new id although its symbol is there already; the newest id is looked up.
OVERWRITE_FLAG = "#fairseq:overwrite"


class Vocabulary:
    """An immutable list of symbols; a symbol's place is its id.

    Args:
        symbols: the symbols behind the four special ones, each of them once.
        repeated: ids (in the whole vocabulary) whose symbol may have been there before, as `OVERWRITE_FLAG` allows.

    Raises:
        VocabularyError: a symbol is empty, holds a line break, or is there twice.
    """

    def __init__(self, symbols: Iterable[str] = (), *, repeated: Iterable[int] = ()) -> None:
        self._symbols = (*SPECIAL_SYMBOLS, *symbols)
        self._repeated = frozenset(repeated)
        self._ids: dict[str, int] = {}
        for index, symbol in enumerate(self._symbols):
            if not symbol or "\n" in symbol:
                raise VocabularyError(
                    "a symbol is empty or holds a line break", where=f"id {index}", given=repr(symbol)
                )
            if symbol in self._ids and index not in self._repeated:
                raise VocabularyError(
                    "a symbol has two ids",
                    where=f"ids {self._ids[symbol]} and {index}",
                    given=repr(symbol),
                    mend=f"Remove one of the two, or flag the second line with {OVERWRITE_FLAG}.",
                )
            self._ids[symbol] = index

    @property
    def symbols(self) -> tuple[str, ...]:
        """All symbols in the order of their ids, the special ones included."""
        return self._symbols

    @property
    def added_ids(self) -> frozenset[int]:
        """Ids of the mask and the CTC blank, where they are there: they stand for no text."""
        return frozenset(self._ids[symbol] for symbol in ADDED_SYMBOLS if symbol in self._ids)

    @property
    def mask_id(self) -> int:
        """The id of ``<mask>``; VocabularyError where there is none."""
        return self._required(MASK_SYMBOL)

    @property
    def blank_id(self) -> int:
        """The id of ``<ctc_blank>``; VocabularyError where there is none."""
        return self._required(BLANK_SYMBOL)

    def _required(self, symbol: str) -> int:
        if symbol not in self._ids:
            raise VocabularyError(
                f"the vocabulary has no {symbol}", given=f"{len(self)} symbols", mend="Add it with `with_symbols`."
            )
        return self._ids[symbol]

    def id_of(self, symbol: str) -> int:
        """The id of `symbol`, that of ``<unk>`` for an unknown one."""
        return self._ids.get(symbol, UNK)

    def ids_of(self, symbols: Iterable[str]) -> list[int]:
        """The ids of `symbols`, that of ``<unk>`` for unknown ones."""
        return [self._ids.get(symbol, UNK) for symbol in symbols]

    def symbol_of(self, index: int) -> str:
        """The symbol of the id `index`; VocabularyError for an id outside of the vocabulary."""
        if not 0 <= index < len(self._symbols):
            raise VocabularyError(
                "an id lies outside of the vocabulary",
                given=index,
                mend=f"Ids run from 0 to {len(self) - 1}; are tokenizer and model of the same folder?",
            )
        return self._symbols[index]

    def with_symbols(self, *symbols: str) -> "Vocabulary":
        """A vocabulary with `symbols` added at the end; those already there keep their id."""
        new = tuple(symbol for symbol in dict.fromkeys(symbols) if symbol not in self._ids)
        return type(self)((*self._symbols[len(SPECIAL_SYMBOLS) :], *new), repeated=self._repeated)

    def fingerprint(self) -> str:
        """SHA-256 (hexadecimal) of the symbols in their order."""
        return hashlib.sha256("\n".join(self._symbols).encode("utf-8")).hexdigest()

    def __len__(self) -> int:
        return len(self._symbols)

    def __contains__(self, symbol: object) -> bool:
        return symbol in self._ids

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Vocabulary) and self._symbols == other._symbols

    def __hash__(self) -> int:
        return hash(self._symbols)

    def __repr__(self) -> str:
        return f"Vocabulary({len(self)} symbols, {self.fingerprint()[:12]})"

    def save(self, path: Path | str) -> None:
        """Write the symbols behind the special ones as a fairseq dictionary (UTF-8, every count 1)."""
        lines = []
        for index, symbol in enumerate(self._symbols[len(SPECIAL_SYMBOLS) :], start=len(SPECIAL_SYMBOLS)):
            flag = f" {OVERWRITE_FLAG}" if index in self._repeated else ""
            lines.append(f"{symbol} 1{flag}\n")
        # Bytes: text mode would translate line ends on some systems.
        with write_atomically(Path(path)) as handle:
            handle.write("".join(lines).encode("utf-8"))

    @classmethod
    def load(cls, path: Path | str) -> "Vocabulary":
        """Read what `save` wrote; the form is fairseq's."""
        return cls.from_fairseq(path)

    @classmethod
    def from_fairseq(cls, path: Path | str) -> "Vocabulary":
        """Read a fairseq ``dict.txt``: a symbol, a space, its count and perhaps the overwrite flag on each line.

        Raises:
            VocabularyError: no such file, not UTF-8, a line of another form, or a symbol twice without the flag.
        """
        symbols: list[str] = []
        repeated: list[int] = []
        for number, line in enumerate(_read_lines(Path(path)), start=1):
            symbol, is_repeated = _parse_line(line, f"{path}, line {number}")
            if is_repeated:
                repeated.append(len(SPECIAL_SYMBOLS) + len(symbols))
            symbols.append(symbol)
        try:
            return cls(symbols, repeated=repeated)
        except VocabularyError as error:
            raise VocabularyError(
                error.what, where=f"{path}, {error.where}", given=error.given, mend=error.mend
            ) from None


def _read_lines(path: Path) -> list[str]:
    """The lines of a dictionary; only line feeds part them, because a symbol may be any other character."""
    mend = "Give the dictionary (dict.txt or vocabulary.txt) that belongs to the tokenizer or the weights."
    try:
        text = path.read_bytes().decode("utf-8")
    except OSError as error:
        raise VocabularyError("the dictionary cannot be read", where=path, given=error.strerror, mend=mend) from error
    except UnicodeDecodeError as error:
        raise VocabularyError("the dictionary is not UTF-8 text", where=path, given=str(error), mend=mend) from error
    return text.rstrip("\r\n").split("\n") if text.strip() else []


def _parse_line(line: str, where: str) -> tuple[str, bool]:
    """The symbol of one line, and whether it may have been there before."""
    rest = line.rstrip()
    is_repeated = rest.endswith(f" {OVERWRITE_FLAG}")
    if is_repeated:
        rest = rest.removesuffix(f" {OVERWRITE_FLAG}")
    symbol, _, count = rest.rpartition(" ")
    if not symbol or not count.isascii() or not count.removeprefix("-").isdigit():
        raise VocabularyError(
            "a dictionary line is not a symbol, a space and a count",
            where=where,
            given=repr(line),
            mend=f"Write it as 'symbol 12', with {OVERWRITE_FLAG} behind it where the symbol is there already.",
        )
    return symbol, is_repeated
