"""The exception tree: every error is one sentence that says what, where, what was given and how to mend it.

SprachbundError
├── RecipeError        a recipe or an option holds something it may not
├── AudioError         a recording that cannot be read or used
├── CorpusError        a corpus that cannot be had, or whose files are not the ones described
├── VocabularyError    symbols, tokenizers, dictionaries or unit models that do not fit
├── DataError          manifests, text streams or batches that cannot be used
└── CheckpointError    weights, model folders or training states that cannot be used
"""

import functools

EXIT_CODE = 2


class SprachbundError(Exception):
    """An error of the user's input, told as a sentence that repairs; it passes from one process to another.

    Args:
        what: what went wrong, a clause without a full stop.
        where: the file, key or place.
        given: what was found there.
        mend: how to mend it, a full sentence.
    """

    def __init__(self, what: str, *, where: object = None, given: object = None, mend: str | None = None) -> None:
        self.what, self.where, self.given, self.mend = what, where, given, mend
        super().__init__(self._sentence())

    def __reduce__(self) -> tuple[object, ...]:
        # Words only: what was found may be an error of a library that cannot be sent.
        where, given = (None if part is None else str(part) for part in (self.where, self.given))
        return functools.partial(type(self), where=where, given=given, mend=self.mend), (self.what,)

    def _sentence(self) -> str:
        place = "" if self.where is None else f" in {self.where}"
        found = "" if self.given is None else f" (given: {self.given})"
        cure = "" if self.mend is None else f" {self.mend}"
        return f"{self.what}{place}{found}.{cure}"


class RecipeError(SprachbundError):
    """A recipe, override or option holds an unknown key or a value it may not."""


class AudioError(SprachbundError):
    """A recording cannot be read, is empty, or holds samples that are not numbers."""


class CorpusError(SprachbundError):
    """A corpus cannot be fetched, or its files are not the ones described."""


class VocabularyError(SprachbundError):
    """Symbols, tokenizers, dictionaries or unit models do not fit each other or the weights."""


class DataError(SprachbundError):
    """A manifest, text stream or batch cannot be used."""


class CheckpointError(SprachbundError):
    """Weights, a model folder or a training checkpoint cannot be used."""
