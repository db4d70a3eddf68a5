"""Binary files of KenLM, scored by its own library (extra ``kenlm``), a row at a time."""

import math
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import torch

from sprachbund.errors import DataError
from sprachbund.models.ngram.model import SPECIAL_WORDS, UNKNOWN_WORD, Level
from sprachbund.shapes import Float, Int, Tensor

_MAGIC = b"mmap lm http://kheafield.com/code"
_LN10 = math.log(10)
_MEND = "Make it anew with KenLM's build_binary, or give the ARPA file."


def is_kenlm_binary(path: Path) -> bool:
    """Whether a file begins as KenLM's binary files do."""
    try:
        with path.open("rb") as handle:
            return handle.read(len(_MAGIC)) == _MAGIC
    except OSError:
        return False


class KenlmModel:
    """A model of words like `NgramModel`, but slower, and without a list of what comes next.

    KenLM's states are no numbers, so each new one gets the next number; the table of them grows with what is decoded.

    Args:
        path: a binary file, or any other that the library reads.
        words: its words, in any order.

    Raises:
        DataError: the library is not installed, or cannot read the file.
    """

    level: Level = "words"

    def __init__(self, path: Path, words: Sequence[str]) -> None:
        try:
            import kenlm
        except ModuleNotFoundError:
            mend = "Install it with: pip install 'sprachbund[kenlm]', or give the ARPA file."
            raise DataError("binary files of KenLM need its library", where=path, mend=mend) from None
        try:
            self._model: Any = kenlm.Model(str(path))
        except (OSError, RuntimeError) as error:
            raise DataError("KenLM cannot read this file", where=path, given=error, mend=_MEND) from None
        self.words = (*SPECIAL_WORDS, *sorted(set(words).difference(SPECIAL_WORDS)))
        self._make_state = kenlm.State
        nothing, begin = kenlm.State(), kenlm.State()
        self._model.NullContextWrite(nothing)
        self._model.BeginSentenceWrite(begin)
        self._states: list[Any] = []
        self._numbers: dict[Any, int] = {}
        self._steps: dict[tuple[int, int], tuple[float, int]] = {}
        self._nothing, self.start_state = self._number(nothing), self._number(begin)

    @classmethod
    def load(cls, path: Path) -> "KenlmModel":
        """The model of a binary file, with the words that stand at its end.

        Raises:
            DataError: the file has no words, or as the constructor.
        """
        return cls(path, read_words(path))

    def to(self, device: torch.device) -> "KenlmModel":
        """The same: it computes where it is, and answers on the device that it is asked from."""
        return self

    def word_log_probs(self) -> Float[Tensor, " word"]:
        """See `NgramModel.word_log_probs`."""
        return self._alone

    @cached_property
    def _alone(self) -> Float[Tensor, " word"]:
        return torch.tensor([self._step(self._nothing, word)[0] for word in range(len(self.words))])

    def step(
        self, states: Int[Tensor, " row"], words: Int[Tensor, " row"]
    ) -> tuple[Float[Tensor, " row"], Int[Tensor, " row"]]:
        """See `NgramModel.step`."""
        steps = [self._step(*row) for row in zip(states.tolist(), words.tolist(), strict=True)]
        log_probs = torch.tensor([log_prob for log_prob, _ in steps], dtype=torch.float32, device=states.device)
        return log_probs, torch.tensor([state for _, state in steps], dtype=torch.int64, device=states.device)

    def _step(self, state: int, word: int) -> tuple[float, int]:
        if (state, word) not in self._steps:
            after = self._make_state()
            log_prob = self._model.BaseScore(self._states[state], self.words[word], after)
            self._steps[state, word] = log_prob * _LN10, self._number(after)
        return self._steps[state, word]

    def _number(self, state: Any) -> int:
        number = self._numbers.setdefault(state, len(self._states))
        if number == len(self._states):
            self._states.append(state)
        return number


def read_words(path: Path) -> list[str]:
    """The words at the end of a binary file: each ends in a zero byte, ``<unk>`` comes first.

    Raises:
        DataError: the file was made without them, or cannot be read.
    """
    first = UNKNOWN_WORD.encode() + b"\0"
    content = path.read_bytes()
    place = content.rfind(first)
    words = content[place:].split(b"\0")
    # The last word ends in a zero byte as well.
    if place < 0 or words.pop() or not all(words):
        raise DataError("the binary file of KenLM does not hold its words", where=path, mend=_MEND)
    try:
        return [word.decode("utf-8") for word in words]
    except UnicodeDecodeError as error:
        raise DataError("the words are not UTF-8", where=path, given=error.reason, mend=_MEND) from None
