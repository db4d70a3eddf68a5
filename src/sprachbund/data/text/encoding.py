"""Text as token ids, encoded once: in memory where it is small, else in a line store of the cache."""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from sprachbund.data.corpora.package_cache import cache_folder
from sprachbund.data.storage.fingerprint import file_fingerprint
from sprachbund.data.storage.mirror import locked
from sprachbund.data.text.blocks import REJECTED, UNREADABLE, Outcome, Rejected, Transform, Work, transform_lines
from sprachbund.data.text.fields import Field, IdsField
from sprachbund.data.text.lines import Line, TextSource, each_line
from sprachbund.data.text.memory import TOKENS, IdLines, MemoryLines
from sprachbund.data.text.sources import open_text
from sprachbund.data.text.writer import Fields
from sprachbund.errors import DataError
from sprachbund.tokens.text import load_tokenizer
from sprachbund.tokens.tokenizer_files import DESCRIPTION_FILE

SMALL = 32 << 20  # bytes of text that are encoded into memory
EMPTY, LONG = "empty", "longer than {} tokens"
_MARKS = 2  # of a sentence
_GROUP = 512  # lines


@dataclass(frozen=True)
class TextEncoding:
    """Lines of text -> token ids, without sentence marks.

    Args:
        tokenizer: its folder.
        max_tokens: of a line, sentence marks included; longer ones are left out, and so are empty ones.
    """

    tokenizer: Path
    max_tokens: int

    def fields(self) -> Mapping[str, Field]:
        """See `Work.fields`."""
        return {TOKENS: IdsField.of_symbols(load_tokenizer(self.tokenizer).vocabulary)}

    def settings(self) -> Mapping[str, Any]:
        """See `Work.settings`."""
        return {"tokenizer": tokenizer_fingerprint(self.tokenizer), "max_tokens": self.max_tokens}

    def start(self) -> Transform:
        """See `Work.start`."""
        tokenizer = load_tokenizer(self.tokenizer)

        def encode(line: Line) -> Fields | Rejected:
            tokens = tokenizer.encode(line.text)
            if len(tokens) + _MARKS > self.max_tokens:
                return Rejected(LONG.format(self.max_tokens))
            return {TOKENS: tokens} if tokens else Rejected(EMPTY)

        return lambda lines: [encode(line) for line in lines]


def tokenizer_fingerprint(folder: Path) -> str:
    """What tells whether two folders hold the same tokenizer: its description, which holds the digests of the rest."""
    return file_fingerprint(folder / DESCRIPTION_FILE)


@dataclass(frozen=True)
class Made:
    """What was made of the lines of a source, and how many were left out by reason."""

    lines: IdLines
    left_out: Mapping[str, int]


def made_lines(name: Path | str, work: Work, *, jobs: int = 1) -> Made:
    """What `work` makes of the lines of a source; a large one is worked through once, and found in the cache later.

    Args:
        name: of the source.
        work: whose fields are all ids.
        jobs: processes for a large source.

    Raises:
        DataError: the source cannot be opened, or a line of it cannot be read.
    """
    source = open_text(name)
    if source.num_bytes <= SMALL:
        return _in_memory(source, work)
    key = hashlib.sha256(f"{source.fingerprint()}\0{sorted(work.settings().items())}".encode()).hexdigest()
    out = cache_folder().parent / "encoded" / key[:32]
    out.parent.mkdir(parents=True, exist_ok=True)
    # Processes that train together want the same; one of them makes it.
    with locked(out):
        outcome = transform_lines(name, work, out, jobs=jobs)
    return _found(outcome, name)


def _in_memory(source: TextSource, work: Work) -> Made:
    counts: dict[str, int] = {}

    def made() -> Iterator[Mapping[str, Any]]:
        transform, lines = work.start(), each_line(source)
        while group := list(islice(lines, _GROUP)):
            for answer in transform(group):
                if isinstance(answer, Rejected):
                    counts[answer.reason] = counts.get(answer.reason, 0) + 1
                else:
                    yield answer

    return Made(MemoryLines(made(), list(work.fields())), counts)


def _found(outcome: Outcome, name: Path | str) -> Made:
    assert outcome.store is not None, "all blocks were made"
    if count := outcome.rejected.get(UNREADABLE, 0):
        listed = outcome.store.folder / REJECTED
        mend = f"They are listed in {listed}; mend or delete them."
        raise DataError(f"{count} lines cannot be read as text", where=name, mend=mend)
    return Made(outcome.store, outcome.rejected)
