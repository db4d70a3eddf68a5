"""The text tokenizer of a checkpoint of fairseq: given, kept in the checkpoint, or in a file beside it."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from sprachbund.checkpoints.fairseq import FairseqCheckpoint
from sprachbund.errors import CheckpointError
from sprachbund.tokens.symbols import SymbolTokenizer
from sprachbund.tokens.text import (
    CHARACTER_WORD_MARK,
    SENTENCEPIECE_WORD_MARK,
    CharacterTokenizer,
    SentencePieceTokenizer,
    TextTokenizer,
)
from sprachbund.tokens.vocabulary import ADDED_SYMBOLS, MASK_SYMBOL, SPECIAL_SYMBOLS, Vocabulary

# What the task calls the dictionary of text: in a model that was fine-tuned, in one that was not.
_KEPT = ("target_dictionary", "text_dictionary")
_PIECES = ("dict.spm.txt", "dict.txt")
_BESIDE = ("dict.ltr.txt", *_PIECES)
_UNITS_KEPT, _UNITS_BESIDE = ("dictionaries.0", "text_src_dictionary"), ("dict.km.txt", "dict.kmu.txt", "dict.phn.txt")
# What fairseq fills a dictionary up with.
_FILLING = "madeupword"


def find_tokenizer(checkpoint: FairseqCheckpoint, given: TextTokenizer | None, num_symbols: int) -> TextTokenizer:
    """The tokenizer for a model of so many symbols.

    Args:
        checkpoint: of the model.
        given: by the user; goes before all others, but may not contradict what the checkpoint keeps.
        num_symbols: entries of the model's dictionary, perhaps with a ``<mask>`` that no file has.

    Raises:
        CheckpointError: there is none, or it is of another model.
    """
    kept = next(_of_size(num_symbols, _kept(checkpoint, _KEPT)), None)
    if given is None:
        beside = [Vocabulary.from_fairseq(path) for path in _files(checkpoint, _BESIDE)]
        found = kept or next(_of_size(num_symbols, beside), None)
        given = None if found is None else SymbolTokenizer(found)
        tried = ", ".join(f"{len(vocabulary)}" for vocabulary in beside)
    else:
        tried, found = f"{len(given.vocabulary)}", next(_of_size(num_symbols, [given.vocabulary]), None)
    if given is None or found is None:
        raise CheckpointError(
            "this model needs its dictionary, without which it can do nothing",
            where=checkpoint.path,
            given=f"{tried} symbols, wanted {num_symbols}" if tried else "none",
            mend=f"Put {_BESIDE[0]} beside it, or give --dictionary (and --pieces), as published with the checkpoint.",
        )
    if kept is not None and found != kept and not _is_renumbered(given, found, kept):
        raise CheckpointError(
            "this dictionary is not the one that the checkpoint keeps",
            where=checkpoint.path,
            given=_difference(found, kept),
            mend="Leave --dictionary out; the checkpoint has its own.",
        )
    return _tokenizer(given, kept or found, checkpoint.path)


def dictionary_of_pieces(checkpoint: Path) -> Path | None:
    """The file beside a checkpoint that numbers the pieces of its text, where there is one."""
    return next((path for name in _PIECES if (path := checkpoint.parent / name).is_file()), None)


def check_units(checkpoint: FairseqCheckpoint, num_units: int) -> None:
    """Refuse a dictionary of hidden units that stands beside the checkpoint and is not its own.

    Raises:
        CheckpointError: it has another size, or other units than the dictionary that the checkpoint keeps.
    """
    beside = [Vocabulary.from_fairseq(path) for path in _files(checkpoint, _UNITS_BESIDE)]
    fitting = list(_of_size(num_units, beside))
    kept = next(_of_size(num_units, _kept(checkpoint, _UNITS_KEPT)), None)
    if not beside or kept in fitting or (kept is None and fitting):
        return
    given = _difference(fitting[0], kept) if fitting and kept is not None else f"{len(beside[0])} symbols"
    raise CheckpointError(
        "the dictionary of units beside this checkpoint is of another model",
        where=checkpoint.path,
        given=f"{given}, the model has {num_units} with its <mask>",
        mend=f"Put the {' or '.join(_UNITS_BESIDE)} there that was published with it, or none.",
    )


def _kept(checkpoint: FairseqCheckpoint, names: Sequence[str]) -> Iterator[Vocabulary]:
    for name in names:
        symbols = checkpoint.dictionaries.get(name, ())
        if symbols[: len(SPECIAL_SYMBOLS)] == SPECIAL_SYMBOLS and len(set(symbols)) == len(symbols):
            yield Vocabulary(symbols[len(SPECIAL_SYMBOLS) :])


def _files(checkpoint: FairseqCheckpoint, names: Sequence[str]) -> list[Path]:
    return [path for name in names if (path := checkpoint.path.parent / name).is_file()]


def _of_size(num_symbols: int, vocabularies: Sequence[Vocabulary] | Iterator[Vocabulary]) -> Iterator[Vocabulary]:
    """Those of this size, with the ``<mask>`` that the task adds or without any added symbol."""
    for vocabulary in vocabularies:
        symbols = list(vocabulary.symbols[len(SPECIAL_SYMBOLS) :])
        while symbols and symbols[-1] in ADDED_SYMBOLS:
            symbols.pop()
        plain = vocabulary if len(symbols) + len(SPECIAL_SYMBOLS) == len(vocabulary) else Vocabulary(symbols)
        yield from (one for one in (plain, plain.with_symbols(MASK_SYMBOL)) if len(one) == num_symbols)


def _difference(found: Vocabulary, kept: Vocabulary) -> str:
    places = range(min(len(found), len(kept)))
    place = next((place for place in places if found.symbols[place] != kept.symbols[place]), len(places))
    return f"{found.symbols[place]!r} where it has {kept.symbols[place]!r}"


def _is_renumbered(given: TextTokenizer, found: Vocabulary, kept: Vocabulary) -> bool:
    """Whether pieces only stand in another order, as in a model file whose dictionary was not given."""
    return isinstance(given, SentencePieceTokenizer) and set(found.symbols) == set(kept.symbols)


def _tokenizer(given: TextTokenizer, vocabulary: Vocabulary, path: Path) -> TextTokenizer:
    """A tokenizer of this vocabulary that reads text as `given` does, or as its symbols are."""
    if isinstance(given, SentencePieceTokenizer):
        return given.with_vocabulary(vocabulary)
    if isinstance(given, CharacterTokenizer):
        return CharacterTokenizer(vocabulary, word_mark=given.word_mark)
    symbols = [one for one in vocabulary.symbols[len(SPECIAL_SYMBOLS) :] if one not in ADDED_SYMBOLS]
    if any(one.startswith(SENTENCEPIECE_WORD_MARK) for one in symbols):
        raise CheckpointError(
            "the text of this model is cut into pieces, and what cuts it is missing",
            where=path,
            given=f"a dictionary of {len(symbols)} pieces",
            mend="Give --pieces with the SentencePiece model published with the checkpoint.",
        )
    is_letters = all(len(one) == 1 or one.startswith(_FILLING) for one in symbols)
    if CHARACTER_WORD_MARK in symbols and is_letters:
        return CharacterTokenizer(vocabulary)
    return SymbolTokenizer(vocabulary)
