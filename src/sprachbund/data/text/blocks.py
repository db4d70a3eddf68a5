"""A transform over all lines of a source, block by block: in several processes, on several machines, resumed.

While the work is going on, ``OUT.blocks`` holds every finished block as a small line store of its own, and what they
are blocks of. The process that finds all blocks finished joins them to OUT, which depends on source and work alone:
neither the number of processes nor shards nor interruptions change a byte of it.
"""

import json
import shutil
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from rich.console import Console
from rich.progress import Progress

from sprachbund.data.text.fields import Field, IdsField, to_mapping
from sprachbund.data.text.lines import Line, TextSource
from sprachbund.data.text.sources import open_text
from sprachbund.data.text.store import LineStore, is_store
from sprachbund.data.text.writer import Fields, new_store
from sprachbund.data.units import Shard
from sprachbund.data.workers import in_processes
from sprachbund.errors import DataError, SprachbundError
from sprachbund.files import write_atomically

REJECTED, SETTINGS_FILE = "rejected.jsonl", "settings.json"
SETTINGS, SOURCE_LINES, LEFT_OUT = "settings", "source_lines", "left_out"  # facts of a store
UNREADABLE = "not readable"
WORKING = "Transforming lines"
_FEWEST, _MOST, _BLOCKS = 64, 4096, 128  # lines of a block; about how many blocks a source of middle size has
_SHOWN = 200  # characters of a rejected line that are listed
_A_FOLDER = 1000  # blocks


@dataclass(frozen=True)
class Rejected:
    """The answer to a line that nothing is made of."""

    reason: str  # a clause, the same for all lines of its kind; lines are counted by it
    detail: str = ""


Transform = Callable[[Sequence[Line]], Sequence[Fields | Rejected]]
"""The lines of a block -> an answer for each, in their order."""


@runtime_checkable
class Work(Protocol):
    """What is done with lines: a frozen dataclass of small values, which is sent to the processes."""

    def fields(self) -> Mapping[str, Field]:
        """What each line of the result has."""
        ...

    def settings(self) -> Mapping[str, Any]:
        """All that decides the result beside the source, in plain values: seeds, fingerprints, limits."""
        ...

    def start(self) -> Transform:
        """Load what is needed; called once in each process."""
        ...

    def __hash__(self) -> int: ...


@dataclass(frozen=True)
class Outcome:
    """What became of the lines."""

    lines: int  # of the source, or of this shard of it
    made: int
    rejected: Mapping[str, int]  # by reason
    store: LineStore | None  # None where blocks of other shards are missing

    def sentences(self) -> list[str]:
        """Counts for a user."""
        listed = "" if self.store is None else f"; they are listed in {self.store.folder / REJECTED}"
        told = [f"{self.made} of {self.lines} lines"]
        return told + [f"{count} left out: {reason}{listed}" for reason, count in sorted(self.rejected.items())]


@dataclass(frozen=True)
class _Plan:
    """Where the blocks of a source are, and what is in them."""

    source: str
    key: str  # changes with what the lines are and what is done with them
    lines: int
    folder: Path
    fields: Mapping[str, Field]

    @property
    def block_lines(self) -> int:
        # From the length of the source alone, so that all processes of all machines cut alike.
        return min(_MOST, max(_FEWEST, self.lines // _BLOCKS))

    @property
    def blocks(self) -> range:
        return range(-(-self.lines // self.block_lines))

    def numbers(self, block: int) -> range:
        return range(block * self.block_lines, min((block + 1) * self.block_lines, self.lines))

    def path(self, block: int) -> Path:
        return self.folder / f"{block // _A_FOLDER:04d}" / f"{block:07d}"

    def finished(self, block: int) -> LineStore | None:
        """The store of a block; None where there is none, or a damaged one."""
        return _sound(self.path(block))

    def all_finished(self, blocks: range) -> Iterator[LineStore]:
        return (store for block in blocks if (store := self.finished(block)) is not None)


def transform_lines(name: Path | str, work: Work, out: Path, *, jobs: int = 1, shard: Shard | None = None) -> Outcome:
    """Write what `work` makes of each line of a source into a line store; finished blocks are kept and gone on from.

    A line that cannot be read, or that `work` rejects, is counted and listed in ``rejected.jsonl`` of the store.

    Args:
        name: of the source, as `open_text` takes it.
        work: what is done.
        out: folder of the store.
        jobs: processes on this machine.
        shard: do the blocks of this part only; None for all.

    Raises:
        DataError: the source cannot be opened, `out` holds something else, the blocks beside it are of another
            source or other work, or every line is rejected.
    """
    source = open_text(name)
    fields = work.fields()
    settings = _settings(source, work, fields)
    plan = _Plan(str(name), json.dumps(settings), len(source), out.with_name(f"{out.name}.blocks"), fields)
    if is_store(out):
        _require_same(LineStore(out), settings)
        shutil.rmtree(plan.folder, ignore_errors=True)  # where a process was ended between the two
        return _outcome([LineStore(out)], LineStore(out))
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise DataError("the folder holds something already", where=out, mend="Give another --out, or empty it.")
    _begin(plan, settings)
    mine = plan.blocks[shard.number - 1 :: shard.count] if shard else plan.blocks
    missing = [block for block in mine if plan.finished(block) is None]
    with Progress(disable=not missing, console=Console(stderr=True)) as progress:
        for _ in in_processes(partial(_make_block, plan, work), progress.track(missing, description=WORKING), jobs):
            pass
    if all(plan.finished(block) is not None for block in plan.blocks):
        return _join(plan, out, settings)
    return _outcome(plan.all_finished(mine), None)


def _settings(source: TextSource, work: Work, fields: Mapping[str, Field]) -> dict[str, Any]:
    described = {name: to_mapping(field) for name, field in fields.items()}
    settings = {"source": source.fingerprint(), "fields": described, "work": dict(work.settings())}
    # As it comes back from a file: lists for tuples.
    return dict(json.loads(json.dumps(settings)))


def _require_same(store: LineStore, settings: Mapping[str, Any]) -> None:
    if store.facts.get(SETTINGS) != settings:
        mend = "Give another --out, or delete the store."
        raise DataError("a store of other lines or other settings is there already", where=store.folder, mend=mend)


def _begin(plan: _Plan, settings: Mapping[str, Any]) -> None:
    """Note whose blocks these are, or see that they are ours."""
    path = plan.folder / SETTINGS_FILE
    if path.exists():
        try:
            old = json.loads(path.read_text("utf-8"))
        except (OSError, ValueError, RecursionError):
            old = None
        if old != settings:
            mend = "Delete the folder, or give another --out."
            raise DataError("unfinished blocks of other lines or other settings", where=plan.folder, mend=mend)
        return
    with write_atomically(path, "w") as handle:
        handle.write(json.dumps(settings, indent=1) + "\n")


@lru_cache(maxsize=1)
def _ready(name: str, work: Work, key: str) -> tuple[TextSource, Transform]:
    """What a process opens and loads once; the key tells files apart that stood behind a name at different times."""
    assert key, "the key is for the cache"
    return open_text(name), work.start()


def _make_block(plan: _Plan, work: Work, block: int) -> None:
    """Do the lines of a block, in whichever process this is."""
    path = plan.path(block)
    if plan.finished(block) is None:
        shutil.rmtree(path, ignore_errors=True)  # a damaged one
        answers, texts = _answers(*_ready(plan.source, work, plan.key), plan.numbers(block))
        try:
            _write_block(path, _without_symbols(plan.fields), answers, texts)
        except (OSError, DataError):
            # Another process may have been given the same command.
            if plan.finished(block) is None:
                raise


def _answers(
    source: TextSource, transform: Transform, numbers: range
) -> tuple[dict[int, Fields | Rejected], dict[int, str]]:
    """What becomes of each line, and the texts of those that can be read."""
    lines: list[Line] = []
    answers: dict[int, Fields | Rejected] = {}
    for number in numbers:
        try:
            lines.append(source.line(number))
        except DataError as error:
            answers[number] = Rejected(UNREADABLE, error.what)
    answers |= {line.number: answer for line, answer in zip(lines, transform(lines), strict=True)}
    return dict(sorted(answers.items())), {line.number: line.text for line in lines}


def _write_block(
    path: Path, fields: Mapping[str, Field], answers: Mapping[int, Fields | Rejected], texts: Mapping[int, str]
) -> None:
    rejected = {number: answer for number, answer in answers.items() if isinstance(answer, Rejected)}
    counts = Counter(answer.reason for answer in rejected.values())
    with new_store(path, fields, {SOURCE_LINES: len(answers), LEFT_OUT: counts}) as store:
        for answer in answers.values():
            if not isinstance(answer, Rejected):
                store.add(answer)
        listed = [_listed(number, answer, texts.get(number, "")) for number, answer in rejected.items()]
        (store.folder / REJECTED).write_text("".join(listed), "utf-8")


def _without_symbols(fields: Mapping[str, Field]) -> dict[str, Field]:
    """Fields of blocks: a vocabulary need not be written and read with each of them."""
    return {
        name: replace(field, vocabulary=None) if isinstance(field, IdsField) else field
        for name, field in fields.items()
    }


def _listed(number: int, rejected: Rejected, text: str) -> str:
    record = {"line": number + 1, "reason": rejected.reason, "detail": rejected.detail, "text": text[:_SHOWN]}
    return json.dumps({key: value for key, value in record.items() if value != ""}, ensure_ascii=False) + "\n"


def _join(plan: _Plan, out: Path, settings: Mapping[str, Any]) -> Outcome:
    """All blocks as one store; they are deleted when it is there."""
    outcome = _outcome(plan.all_finished(plan.blocks), None)
    if not outcome.made:
        shutil.rmtree(plan.folder)
        given = "; ".join(f"{count} of {outcome.lines}: {reason}" for reason, count in outcome.rejected.items())
        mend = "Look at the text and its language, and at the limits."
        raise DataError("no line of text is left to use", where=plan.source, given=given or "no line", mend=mend)
    facts = {SOURCE_LINES: outcome.lines, LEFT_OUT: outcome.rejected, SETTINGS: settings}
    whole = plan.folder / "whole"
    try:
        if _sound(whole) is None:  # else a process was ended when it had joined them
            shutil.rmtree(whole, ignore_errors=True)
            _join_blocks(plan, whole, facts)
        whole.replace(out)
    except (OSError, SprachbundError):
        # The process of another shard may have been quicker.
        if not is_store(out):
            raise
    shutil.rmtree(plan.folder, ignore_errors=True)
    return replace(outcome, store=LineStore(out))


def _join_blocks(plan: _Plan, whole: Path, facts: Mapping[str, Any]) -> None:
    with new_store(whole, plan.fields, facts) as writer, (writer.folder / REJECTED).open("wb") as listed:
        for block in plan.blocks:
            writer.add_all(LineStore(plan.path(block)))
            listed.write((plan.path(block) / REJECTED).read_bytes())


def _sound(folder: Path) -> LineStore | None:
    try:
        return LineStore(folder)
    except SprachbundError:
        return None


def _outcome(parts: Iterable[LineStore], store: LineStore | None) -> Outcome:
    """The sums of stores.

    Raises:
        DataError: the facts of one are damaged.
    """
    lines, made = 0, 0
    rejected: Counter[str] = Counter()
    for part in parts:
        try:
            lines, made = lines + int(part.facts[SOURCE_LINES]), made + len(part)
            rejected.update({str(reason): int(count) for reason, count in part.facts[LEFT_OUT].items()})
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            given = repr(error)
            raise DataError("the facts of a line store are damaged", where=part.folder, given=given) from None
    return Outcome(lines, made, dict(sorted(rejected.items())), store)
