"""Names of foreign weights <-> ours: one table of patterns, applied both ways."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sprachbund.errors import CheckpointError

_PLACEHOLDER = re.compile(r"\{(\w+)\}")


@dataclass(frozen=True)
class Renamed:
    """Old name -> new name, and the names that no rule knows or that are to be ignored."""

    names: dict[str, str]
    unused: tuple[str, ...]


class KeyTable:
    """Pairs of patterns, original and ours.

    A pattern is a name in which ``{word}`` stands for digits if the word is ``n`` or ``m``, and for any text without a
    dot otherwise; ``{rest}`` stands for any text. Both patterns of a pair hold the same words. The first pair that
    matches a name decides.

    Args:
        rules: the pairs.
        ignored: patterns of original names that have no counterpart.
    """

    def __init__(self, rules: Sequence[tuple[str, str]], ignored: Sequence[str] = ()) -> None:
        for original, ours in rules:
            if set(_PLACEHOLDER.findall(original)) != set(_PLACEHOLDER.findall(ours)):
                raise ValueError(f"patterns with different words: {original} and {ours}")
        self._to_ours = [(_compile(original), ours) for original, ours in rules]
        self._to_original = [(_compile(ours), original) for original, ours in rules]
        self._ignored = [_compile(pattern) for pattern in ignored]

    def to_ours(self, names: Iterable[str]) -> Renamed:
        """Our names of original ones.

        Raises:
            CheckpointError: two names would become one.
        """
        return _rename((name for name in names), self._to_ours, self._ignored)

    def to_original(self, names: Iterable[str]) -> Renamed:
        """Original names of ours.

        Raises:
            CheckpointError: two names would become one.
        """
        return _rename(names, self._to_original, [])


def _compile(pattern: str) -> re.Pattern[str]:
    parts = _PLACEHOLDER.split(pattern)
    expression = "".join(_group(part) if index % 2 else re.escape(part) for index, part in enumerate(parts))
    return re.compile(expression)


def _group(word: str) -> str:
    kinds = {"n": r"\d+", "m": r"\d+", "rest": r".+"}
    return f"(?P<{word}>{kinds.get(word, '[^.]+')})"


def _rename(
    names: Iterable[str], rules: Sequence[tuple[re.Pattern[str], str]], ignored: Sequence[re.Pattern[str]]
) -> Renamed:
    renamed: dict[str, str] = {}
    sources: dict[str, str] = {}
    unused = []
    for name in names:
        new = None if any(pattern.fullmatch(name) for pattern in ignored) else _apply(name, rules)
        if new is None:
            unused.append(name)
        elif new in sources:
            raise CheckpointError(
                f"two weights would both be called '{new}'",
                given=f"{sources[new]} and {name}",
                mend="Remove one of them; the file mixes two models or two versions.",
            )
        else:
            renamed[name], sources[new] = new, name
    return Renamed(renamed, tuple(unused))


def _apply(name: str, rules: Sequence[tuple[re.Pattern[str], str]]) -> str | None:
    for pattern, template in rules:
        if match := pattern.fullmatch(name):
            return template.format(**match.groupdict())
    return None
