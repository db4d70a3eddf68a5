"""ARPA files, the common form of n-gram models: read as KenLM, SRILM and PocketSphinx write them, and written.

Numbers are base-10 logarithms; -99 stands for what is impossible. Words are parted by white space of ASCII only, so
that any other character may be part of a word.
"""

import gzip
import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from sprachbund.errors import DataError
from sprachbund.files import write_atomically
from sprachbund.models.ngram.arpa_lines import ArpaLines
from sprachbund.models.ngram.model import BEGIN, SPECIAL_WORDS, UNKNOWN, NgramModel, NgramTable, assemble
from sprachbund.models.ngram.trie import distinct, trie_keys
from sprachbund.shapes import Array, Float, Int

SUFFIXES = (".arpa", ".arpa.gz")
_IMPOSSIBLE = -99.0
_NO_UNKNOWN = -100.0  # of <unk> where a file gives it no probability: next to impossible, as in KenLM
_LN10 = math.log(10)


def read_arpa(path: Path) -> NgramModel:
    """Read an ARPA file, gzipped where its name ends in ``.gz``.

    What may be lacking is added: ``<unk>`` at next to no probability, ``<s>`` as a context of its own. The special
    words may be written in capitals. ``<s>`` is never predicted, whatever the file says.

    Raises:
        DataError: the file is missing, damaged, or no ARPA file; the line is told.
    """
    lines = ArpaLines(path)
    words, new_ids = _words(lines)
    tables = [_single_words(lines, len(words), new_ids)]
    orders = [np.arange(len(words))]
    for length, section in enumerate(lines.sections[1:], start=2):
        rows = new_ids[np.array(section.ids, dtype=np.int32).reshape(-1, length)]
        order, starts = distinct(rows)
        if len(starts) < len(order):
            again = min(set(order.tolist()).difference(order[starts].tolist()))
            raise lines.fault("an n-gram is there twice", _named(words, rows[again]), line=section.lines[again])
        log_probs, backoffs = np.array(section.log_probs)[order], np.array(section.backoffs)[order]
        tables.append(NgramTable(rows[order], _natural(log_probs), _natural(backoffs)))
        orders.append(order)
    _check_beginnings(lines, words, tables, orders)
    return assemble(words, tables, facts={"source": path.name})


def _words(lines: ArpaLines) -> tuple[list[str], Int[Array, " word"]]:
    """Words in the order of a model, and the new id of each old one."""
    section = lines.sections[0]
    if len(lines.ids) < len(section.lines):
        again = next(place for place, old in enumerate(section.ids) if old != place)
        raise lines.fault("a word is there twice", list(lines.ids)[section.ids[again]], line=section.lines[again])
    named: list[str] = []
    for place, word in enumerate(lines.ids):
        try:
            named.append(word.decode("utf-8"))
        except UnicodeDecodeError as error:
            mend = "Write the file as UTF-8, for example with iconv."
            raise lines.fault("a word is not UTF-8", error.reason, mend=mend, line=section.lines[place]) from None
    for special in SPECIAL_WORDS:
        if special not in named and special.upper() in named:
            named[named.index(special.upper())] = special
    if SPECIAL_WORDS[-1] not in named:
        mend = "Make the model of text whose sentences have an end."
        raise lines.fault("there is no end of the sentence among the words", mend=mend)
    words = [*SPECIAL_WORDS, *sorted(set(named).difference(SPECIAL_WORDS))]
    places = {word: place for place, word in enumerate(words)}
    return words, np.array([places[word] for word in named], dtype=np.int32)


def _single_words(lines: ArpaLines, num_words: int, new_ids: Int[Array, " word"]) -> NgramTable:
    log_probs, backoffs = np.full(num_words, _IMPOSSIBLE), np.zeros(num_words)
    log_probs[new_ids], backoffs[new_ids] = lines.sections[0].log_probs, lines.sections[0].backoffs
    log_probs[BEGIN] = _IMPOSSIBLE
    natural = _natural(log_probs)
    if log_probs[UNKNOWN] <= _IMPOSSIBLE:
        natural[UNKNOWN] = _NO_UNKNOWN * _LN10
    return NgramTable(np.arange(num_words, dtype=np.int32)[:, None], natural, _natural(backoffs))


def _check_beginnings(
    lines: ArpaLines, words: list[str], tables: list[NgramTable], orders: list[Int[Array, " _"]]
) -> None:
    _, orphans = trie_keys([table.rows for table in tables], len(words))
    for table, order, section, places in zip(tables, orders, lines.sections, orphans, strict=True):
        if len(places):
            row = table.rows[places[0]]
            given = f"'{_named(words, row)}' without '{_named(words, row[:-1])}'"
            line = section.lines[int(order[places[0]])]
            raise lines.fault("an n-gram stands without its beginning", given, line=line)


def _named(words: list[str], row: Int[Array, " length"]) -> str:
    return " ".join(words[place] for place in row)


def _natural(logarithms: Float[Array, " ngram"]) -> Float[Array, " ngram"]:
    return np.where(logarithms <= _IMPOSSIBLE, -np.inf, logarithms * _LN10)


def write_arpa(model: NgramModel, path: Path) -> None:
    """Write a model as an ARPA file, gzipped where the name ends in ``.gz``; equal models give equal bytes.

    Raises:
        DataError: a word holds white space, which parts words.
    """
    if wrong := next((word for word in model.words if word.encode().split() != [word.encode()]), None):
        raise DataError("a word holds white space, so it cannot be written", where=path, given=repr(wrong))
    with write_atomically(path) as handle:
        if path.suffix == ".gz":
            # Neither the time nor the name goes into the header.
            with gzip.GzipFile("", "wb", 6, handle, mtime=0) as packed:
                packed.writelines(_lines(model))
        else:
            handle.writelines(_lines(model))


def _lines(model: NgramModel) -> Iterator[bytes]:
    yield b"\\data\\\n"
    yield from (f"ngram {length}={count}\n".encode() for length, count in enumerate(model.counts, start=1))
    log_probs, keys = model.log_probs.cpu().numpy() / _LN10, model.trie.keys.cpu().numpy()
    backoffs = np.zeros(1 + len(log_probs))
    backoffs[: model.num_states] = model.backoffs.cpu().numpy() / _LN10
    contexts, first, begin = [""], 0, 0  # of the n-grams of a length: what stands before the last word
    for length, count in enumerate(model.counts, start=1):
        yield f"\n\\{length}-grams:\n".encode()
        end = begin + count
        parents, labels = np.divmod(keys[begin:end], len(model.words))
        names = (contexts[p] + model.words[w] for p, w in zip((parents - first).tolist(), labels.tolist(), strict=True))
        # The longest n-grams are many, and nothing goes on from them.
        kept = names if length == model.order else list(names)
        numbers = zip(log_probs[begin:end].tolist(), backoffs[begin + 1 : end + 1].tolist(), strict=True)
        for name, (log_prob, backoff) in zip(kept, numbers, strict=True):
            tail = f"\t{_written(backoff)}" if backoff else ""
            yield f"{_written(log_prob)}\t{name}{tail}\n".encode()
        contexts = [f"{name} " for name in kept]
        first, begin = begin + 1, end
    yield b"\n\\end\\\n"


def _written(logarithm: float) -> str:
    # As many digits as single precision holds, so that reading and writing again gives the same ones.
    return f"{max(logarithm, _IMPOSSIBLE):.6f}".rstrip("0").rstrip(".")
