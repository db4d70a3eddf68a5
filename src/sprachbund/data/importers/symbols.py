"""Symbols of fairseq's data back to text."""

from collections.abc import Iterable, Sequence

WORD_START = "▁"  # of SentencePiece
CONTINUED = "@@"  # of subword-nmt, at the end of a piece that the word goes on after
WORD_END = "|"  # of letters


def text_of_letters(symbols: Iterable[str]) -> str:
    """``H I | Y O U |`` -> ``HI YOU``."""
    return "".join(symbols).replace(WORD_END, " ").strip()


def text_of_symbols(symbols: Sequence[str]) -> str:
    """Text of pieces, whichever of the common ways made them: SentencePiece, subword-nmt, letters, or whole words."""
    if any(symbol.startswith(WORD_START) for symbol in symbols):
        return "".join(symbols).replace(WORD_START, " ").strip()
    if WORD_END in symbols and all(len(symbol) == 1 or symbol.startswith("<") for symbol in symbols):
        return text_of_letters(symbols)
    return " ".join(symbols).replace(f"{CONTINUED} ", "").removesuffix(CONTINUED)
