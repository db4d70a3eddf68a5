"""Text <-> ids: a character tokenizer, SentencePiece, and the folder that any tokenizer is kept in.

Both put a word mark in front of every word (SentencePiece's habit, and SpeechT5's), so that "hello you" becomes
``| h e l l o | y o u``. A tokenizer sees words parted by single spaces: other white space is collapsed first, and
``decode(encode(text)) == text`` holds for collapsed text whose characters are known.
"""

import hashlib
import io
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Literal, Protocol, runtime_checkable

from sentencepiece import SentencePieceProcessor, SentencePieceTrainer

from sprachbund.errors import VocabularyError
from sprachbund.tokens.symbols import SymbolTokenizer
from sprachbund.tokens.tokenizer_files import (
    DESCRIPTION_FILE,
    SENTENCEPIECE_FILE,
    VOCABULARY_FILE,
    check_digest,
    read_description,
    read_tokenizer_file,
    save_tokenizer,
    textual_symbols,
)
from sprachbund.tokens.vocabulary import ADDED_SYMBOLS, SPECIAL_SYMBOLS, UNK, Vocabulary

CHARACTER_WORD_MARK = "|"
SENTENCEPIECE_WORD_MARK = "▁"


@runtime_checkable
class TextTokenizer(Protocol):
    """What models, collation and decoding ask of a tokenizer."""

    vocabulary: Vocabulary

    def encode(self, text: str) -> list[int]:
        """The ids of `text`, without ``<s>`` and ``</s>``; what is unknown becomes ``<unk>``."""
        ...

    def decode(self, ids: Iterable[int]) -> str:
        """The text of `ids`; special and added symbols are left out, ``<unk>`` is shown as "⁇"."""
        ...

    def save(self, folder: Path | str) -> None:
        """Write the tokenizer so that `load_tokenizer` reads it back."""
        ...

    def word_start_ids(self) -> frozenset[int]:
        """Ids at which a word begins: the four special ones and every symbol that opens with the word mark."""
        ...


class CharacterTokenizer:
    """Every character is a symbol; a word mark stands in front of every word.

    Args:
        vocabulary: its symbols are single characters, the word mark among them.
        word_mark: the symbol that opens a word; the same character inside a text is unknown.

    Raises:
        VocabularyError: the vocabulary lacks the word mark.
    """

    def __init__(self, vocabulary: Vocabulary, *, word_mark: str = CHARACTER_WORD_MARK) -> None:
        if word_mark not in vocabulary:
            raise VocabularyError(
                "the vocabulary lacks the word mark",
                given=repr(word_mark),
                mend="Name the symbol that opens its words.",
            )
        self.vocabulary = vocabulary
        self.word_mark = word_mark

    @classmethod
    def train(
        cls, lines: Iterable[str], *, size: int | None = None, word_mark: str = CHARACTER_WORD_MARK
    ) -> "CharacterTokenizer":
        """Take the characters of `lines`, the most frequent first and equally frequent ones by code point.

        Args:
            lines: text, as it will be encoded later.
            size: entries of the vocabulary at most, special and added ones included; rarer characters become ``<unk>``.
            word_mark: one character, which is not taken from the text.

        Raises:
            VocabularyError: no text, or `size` leaves room for no character.
        """
        words: Counter[str] = Counter()
        for line in lines:
            words.update(line.split())
        counts: Counter[str] = Counter()
        for word, count in words.items():
            for character in word:
                counts[character] += count
        del counts[word_mark]
        if not counts:
            raise VocabularyError("there is no text to take characters from", mend="Give files that hold some words.")
        characters = sorted(counts, key=lambda character: (-counts[character], character))
        if size is not None:
            characters = characters[: _room(size, more=1)]
        return cls(Vocabulary([word_mark, *characters]).with_symbols(*ADDED_SYMBOLS), word_mark=word_mark)

    def encode(self, text: str) -> list[int]:
        """See `TextTokenizer.encode`."""
        mark = self.vocabulary.id_of(self.word_mark)
        ids: list[int] = []
        for word in text.split():
            ids.append(mark)
            ids += [UNK if character == self.word_mark else self.vocabulary.id_of(character) for character in word]
        return ids

    def decode(self, ids: Iterable[int]) -> str:
        """See `TextTokenizer.decode`."""
        symbols = textual_symbols(self.vocabulary, ids)
        return "".join(" " if symbol == self.word_mark else symbol for symbol in symbols).strip()

    def unknown(self, text: str) -> Counter[str]:
        """The characters of `text` that become ``<unk>``, with their counts."""
        characters = Counter("".join(text.split()))
        return Counter(
            {each: n for each, n in characters.items() if each not in self.vocabulary or each == self.word_mark}
        )

    def word_start_ids(self) -> frozenset[int]:
        """See `TextTokenizer.word_start_ids`."""
        return _word_starts(self.vocabulary, self.word_mark)

    def save(self, folder: Path | str) -> None:
        """Write ``vocabulary.txt`` and ``tokenizer.json``."""
        save_tokenizer(Path(folder), "character", self.vocabulary, settings={"word_mark": self.word_mark})


class SentencePieceTokenizer:
    """A SentencePiece model whose pieces have fairseq's ids instead of its own.

    Args:
        model: the serialised model (the bytes of a ``.model`` file).
        vocabulary: the ids of the pieces; pieces it lacks become ``<unk>``. The pieces of the model in their order,
            then ``<mask>`` and ``<ctc_blank>``, where None is given.

    Raises:
        VocabularyError: the bytes are no SentencePiece model, or the vocabulary has none of its pieces.
    """

    def __init__(self, model: bytes, vocabulary: Vocabulary | None = None) -> None:
        self._model = model
        self._processor = _load_processor(model)
        pieces = _normal_pieces(self._processor)
        self.vocabulary = Vocabulary(pieces).with_symbols(*ADDED_SYMBOLS) if vocabulary is None else vocabulary
        if not any(piece in self.vocabulary for piece in pieces):
            raise VocabularyError(
                "the dictionary has no piece of the SentencePiece model",
                given=f"{len(self.vocabulary)} symbols, {len(pieces)} pieces",
                mend="Give the dictionary made with this model.",
            )

    @classmethod
    def train(
        cls,
        lines: Iterable[str],
        *,
        vocab_size: int | None = None,
        model_type: Literal["char", "unigram", "bpe"] = "char",
    ) -> "SentencePieceTokenizer":
        """Train a model on `lines`; the same lines give the same model.

        Args:
            lines: text, as it will be encoded later; only white space is changed before training.
            vocab_size: entries of the vocabulary, special and added ones included; None takes all characters and is
                for ``char`` only. A ``char`` vocabulary may stay smaller.
            model_type: how pieces are found.

        Raises:
            VocabularyError: no text, a size that text or model type cannot have, or lines SentencePiece refuses.
        """
        collapsed = [" ".join(line.split()) for line in lines]
        collapsed = [line for line in collapsed if line]
        if not collapsed:
            raise VocabularyError("there is no text to train a tokenizer on", mend="Give files that hold some words.")
        if vocab_size is None and model_type != "char":
            raise VocabularyError(f"a {model_type} tokenizer needs a size", mend="Give the size of its vocabulary.")
        characters = len(set("".join(collapsed)) | {" "})
        # The model counts its own <unk>, but neither the special nor the added symbols.
        num_pieces = 1 + (characters if vocab_size is None else _room(vocab_size, more=0))
        return cls(_train_model(collapsed, num_pieces, model_type))

    @classmethod
    def from_files(cls, model: Path | str, dictionary: Path | str | None = None) -> "SentencePieceTokenizer":
        """Take a ``.model`` file and, where given, the fairseq ``dict.txt`` that numbers its pieces (as SpeechT5's).

        ``<mask>`` and ``<ctc_blank>`` are added at the end.
        """
        vocabulary = None if dictionary is None else Vocabulary.from_fairseq(dictionary).with_symbols(*ADDED_SYMBOLS)
        return cls(read_tokenizer_file(Path(model)), vocabulary)

    def with_vocabulary(self, vocabulary: Vocabulary) -> "SentencePieceTokenizer":
        """The same pieces with other ids."""
        return type(self)(self._model, vocabulary)

    def encode(self, text: str) -> list[int]:
        """See `TextTokenizer.encode`."""
        return self.vocabulary.ids_of(self._pieces(text))

    def decode(self, ids: Iterable[int]) -> str:
        """See `TextTokenizer.decode`."""
        return str(self._processor.decode_pieces(textual_symbols(self.vocabulary, ids))).strip()

    def unknown(self, text: str) -> Counter[str]:
        """The pieces of `text` that become ``<unk>``, with their counts."""
        return Counter(piece for piece in self._pieces(text) if piece not in self.vocabulary)

    def word_start_ids(self) -> frozenset[int]:
        """See `TextTokenizer.word_start_ids`."""
        return _word_starts(self.vocabulary, SENTENCEPIECE_WORD_MARK)

    def save(self, folder: Path | str) -> None:
        """Write ``sentencepiece.model``, ``vocabulary.txt`` and ``tokenizer.json``."""
        save_tokenizer(Path(folder), "sentencepiece", self.vocabulary, settings={}, model=self._model)

    def _pieces(self, text: str) -> list[str]:
        return list(self._processor.encode(" ".join(text.split()), out_type=str))


def load_tokenizer(folder: Path | str) -> TextTokenizer:
    """Read the tokenizer that `TextTokenizer.save` wrote into `folder`.

    Raises:
        VocabularyError: files are missing, damaged, or not of one tokenizer.
    """
    folder = Path(folder)
    description = read_description(folder / DESCRIPTION_FILE)
    vocabulary = Vocabulary.load(folder / VOCABULARY_FILE)
    check_digest(folder / VOCABULARY_FILE, vocabulary.fingerprint(), description.get("vocabulary"))
    kind, settings = description.get("kind"), description.get("settings")
    if kind == "character" and isinstance(settings, dict) and isinstance(settings.get("word_mark"), str):
        return CharacterTokenizer(vocabulary, word_mark=settings["word_mark"])
    if kind == "sentencepiece":
        model = read_tokenizer_file(folder / SENTENCEPIECE_FILE)
        check_digest(folder / SENTENCEPIECE_FILE, hashlib.sha256(model).hexdigest(), description.get("model"))
        return SentencePieceTokenizer(model, vocabulary)
    if kind == "symbols":
        return SymbolTokenizer(vocabulary)
    raise VocabularyError(
        "the tokenizer is of no known kind",
        where=folder / DESCRIPTION_FILE,
        given=f"kind {kind!r}, settings {settings!r}",
        mend="Known are character, sentencepiece and symbols; write it anew with `sprachbund tokens train-text`.",
    )


def _room(size: int, *, more: int) -> int:
    """Symbols of the text in a vocabulary of `size` entries, beside special, added and `more` others."""
    taken = len(SPECIAL_SYMBOLS) + len(ADDED_SYMBOLS) + more
    if size <= taken:
        raise VocabularyError(
            "the vocabulary has no room for symbols of the text", given=size, mend=f"Ask for more than {taken} entries."
        )
    return size - taken


def _word_starts(vocabulary: Vocabulary, word_mark: str) -> frozenset[int]:
    special = range(len(SPECIAL_SYMBOLS))
    return frozenset(i for i, symbol in enumerate(vocabulary.symbols) if i in special or symbol.startswith(word_mark))


def _load_processor(model: bytes) -> SentencePieceProcessor:
    try:
        processor = SentencePieceProcessor(model_proto=model)
        # Every piece once: a damaged one is no text, which the library would tell when it is used.
        for index in range(processor.get_piece_size()):
            processor.id_to_piece(index)
    except (RuntimeError, UnicodeDecodeError) as error:
        raise VocabularyError(
            "a file is not a SentencePiece model",
            given=f"{len(model)} bytes",
            mend="Give the .model file that SentencePiece wrote.",
        ) from error
    return processor


def _normal_pieces(processor: SentencePieceProcessor) -> list[str]:
    """The pieces in the order of their ids, without control symbols and the model's own ``<unk>``."""
    indices = range(processor.get_piece_size())
    kept = (index for index in indices if not processor.is_control(index) and not processor.is_unknown(index))
    return [piece for piece in map(processor.id_to_piece, kept) if piece not in (*SPECIAL_SYMBOLS, *ADDED_SYMBOLS)]


def _train_model(lines: Sequence[str], num_pieces: int, model_type: str) -> bytes:
    written = io.BytesIO()
    try:
        SentencePieceTrainer.train(
            sentence_iterator=iter(lines),
            model_writer=written,
            vocab_size=num_pieces,
            model_type=model_type,
            character_coverage=1.0,
            # Normalisation is done before, in one place; here it would break decode(encode(text)) == text.
            normalization_rule_name="identity",
            # The special symbols have fairseq's ids, outside of the model.
            bos_id=-1,
            eos_id=-1,
            pad_id=-1,
            unk_id=0,
            hard_vocab_limit=model_type != "char",
            # Longer lines would be left out silently.
            max_sentence_length=max(len(line.encode("utf-8")) for line in lines) + 1,
            num_threads=1,
            minloglevel=2,
        )
    except RuntimeError as error:
        raise VocabularyError(
            "SentencePiece cannot train on this text",
            given=f"{model_type}, {len(lines)} lines: {error}",
            mend="Ask for another size (SentencePiece counts five entries less) or type, or give more text.",
        ) from error
    return written.getvalue()
