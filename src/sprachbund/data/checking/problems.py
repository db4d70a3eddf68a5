"""The kinds of problems that data can have, and the report that counts them and keeps examples."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from sprachbund.errors import DataError

NUM_EXAMPLES = 3
SHORT_WORDS = 2  # texts of so few words come twice by chance


@dataclass(frozen=True)
class Kind:
    """What a kind of problem means, and what to do."""

    told: str
    mend: str
    is_warning: bool = False  # trained on as it is


KINDS: dict[str, Kind] = {
    "damaged-file": Kind("the file cannot be read to its end", "Copy or download it again."),
    "bad-line": Kind("a line is no cut", "Write the line anew, or drop it with --fix."),
    "duplicate-id": Kind("a cut has the id of an earlier one", "Give every cut its own id; --fix keeps the first."),
    "bad-times": Kind("a start or a duration is negative, zero or no number", "Correct the times of the cut."),
    "no-recording": Kind("a cut has no recording in a file", "Save what is remote or in memory as audio files."),
    "missing-audio": Kind("a recording is not there", "Check the paths of the manifest, or fetch the corpus again."),
    "unreadable-audio": Kind("a recording cannot be read in full", "Copy, download or convert it again."),
    "wrong-rate": Kind("a recording has another rate than expected", "Resample it, or expect its rate with --rate."),
    "not-as-declared": Kind("a recording is not what the manifest says", "Make the manifest anew from the recordings."),
    "ends-after-recording": Kind("a cut ends after its recording", "Correct its times, or get the recording again."),
    "too-long": Kind("a cut is longer than --max-seconds", "Cut it at its pauses, or drop it with --fix."),
    "no-transcript": Kind("a cut among transcribed ones does not have one text", "Give it one, or drop it with --fix."),
    "empty-text": Kind("a text says nothing", "Leave it out."),
    "long-text": Kind("a text is longer than --max-characters", "Split it, or drop it with --fix."),
    "wrong-encoding": Kind("a text was written or read in a wrong encoding", "Convert it from its source to UTF-8."),
    "unknown-characters": Kind(
        "a text has characters outside the vocabulary", "Normalise the text, or train a tokenizer on it."
    ),
    "no-labels": Kind("a cut among labelled ones has no units", "Label the manifest with `sprachbund tokens label`."),
    "other-unit-model": Kind("units come from another unit model", "Label all manifests with one unit model."),
    "damaged-labels": Kind("units cannot be read", "Label the manifest again."),
    "label-length": Kind("units do not fit the length of the sound", "Label the manifest again."),
    "label-range": Kind("unit ids are outside of the unit model", "Label the manifest again with this unit model."),
    "held-out-text": Kind("a text of a held-out set is trained on", "Drop it from the training side, as --fix does."),
    "held-out-audio": Kind("sound of a held-out set is trained on", "Drop it from the training side, as --fix does."),
    "silent": Kind("a recording holds no sound above -60 dB", "Listen to it.", is_warning=True),
    "clipped": Kind("more than 0.1 % of a recording is at full scale", "Record with less gain.", is_warning=True),
    "several-channels": Kind("a recording has several channels", "Choose one, or their average.", is_warning=True),
}


class Fault(NamedTuple):
    """What is wrong with one thing."""

    kind: str
    detail: str


@dataclass(frozen=True)
class Problem:
    """A fault and its place."""

    kind: str
    detail: str
    file: Path  # the manifest or the text
    line: int  # from 1; 0 for the file as a whole
    item: str = ""  # id of the cut
    recording: str | None = None

    def __str__(self) -> str:
        place = f"{self.file}, line {self.line}" if self.line else str(self.file)
        sound = f"; {self.recording}" if self.recording else ""
        words = f"{self.item} ({place}{sound}): {self.detail}" if self.item else f"{place}{sound}: {self.detail}"
        # Ids and texts are foreign: a line stays a line, and a terminal gets no commands.
        return "".join(each if each.isprintable() else " " for each in words)


@dataclass
class Summary:
    """What one manifest or text holds."""

    clips: int = 0  # lines, in a text
    seconds: float = 0.0
    words: int = 0
    characters: int = 0
    speakers: set[str] = field(default_factory=set)
    languages: set[str] = field(default_factory=set)
    rates: set[int] = field(default_factory=set)  # as found in the recordings
    is_text: bool = False

    def add_text(self, text: str) -> None:
        """Count the words and characters of one text."""
        self.words += len(text.split())
        self.characters += len(text)

    def __str__(self) -> str:
        written = f"{self.words} words, {self.characters} characters"
        if self.is_text:
            return f"{self.clips} lines, {written}"
        parts = [f"{self.clips} clips, {self.seconds / 60:.2f} minutes, {written}, {len(self.speakers)} speakers"]
        parts += [" ".join(sorted(self.languages))] * bool(self.languages)
        parts += [" ".join(f"{rate} Hz" for rate in sorted(self.rates))] * bool(self.rates)
        return ", ".join(parts)

    def to_mapping(self) -> dict[str, Any]:
        """Plain values."""
        sets = {name: sorted(getattr(self, name)) for name in ("speakers", "languages", "rates")}
        counts = {"words": self.words, "characters": self.characters}
        if self.is_text:
            return {"lines": self.clips, **counts}
        return {"clips": self.clips, "minutes": round(self.seconds / 60, 2), **counts, **sets}


@dataclass
class Report:
    """What a check found."""

    counts: Counter[str] = field(default_factory=Counter)
    examples: dict[str, list[Problem]] = field(default_factory=dict)
    blamed: dict[Path, dict[int, list[Problem]]] = field(default_factory=dict)  # by line of a manifest, no warnings
    summaries: dict[Path, Summary] = field(default_factory=dict)
    checked: list[str] = field(default_factory=list)  # what was looked at, in words
    short_overlaps: int = 0  # held-out texts of one or two words

    def add(self, problem: Problem) -> None:
        """Count a problem, and keep it if it is among the first of its kind."""
        self.counts[problem.kind] += 1
        examples = self.examples.setdefault(problem.kind, [])
        if len(examples) < NUM_EXAMPLES:
            examples.append(problem)

    def blame(self, problem: Problem) -> None:
        """Add a problem of a cut, which `--fix` drops unless it is a warning."""
        self.add(problem)
        if not KINDS[problem.kind].is_warning:
            self.blamed.setdefault(problem.file, {}).setdefault(problem.line, []).append(problem)

    def found(self, *, warnings: bool = False) -> dict[str, int]:
        """Kind -> count, of the failures or of the warnings, in the order of the table."""
        kinds = (kind for kind, meaning in KINDS.items() if meaning.is_warning == warnings)
        return {kind: self.counts[kind] for kind in kinds if self.counts[kind]}

    @property
    def is_clean(self) -> bool:
        """No failure; there may be warnings."""
        return not self.found()

    def count_blamed(self, files: Iterable[Path]) -> int:
        """Failures of the cuts of some manifests."""
        return sum(len(problems) for file in files for problems in self.blamed.get(file, {}).values())

    def lines(self, *, warnings: bool = False) -> Iterator[str]:
        """The table of failures or of warnings: kind, count, what it means, examples, what to do."""
        for kind, count in self.found(warnings=warnings).items():
            short = f", {self.short_overlaps} of one or two words" if kind == "held-out-text" else ""
            yield f"{kind:<22}{count:>8}  {KINDS[kind].told}{short}"
            yield from (f"{'':<8}{example}" for example in self.examples[kind])
            if count > len(self.examples[kind]):
                yield f"{'':<8}and {count - len(self.examples[kind])} more"
            yield f"{'':<8}{KINDS[kind].mend}"

    def require_clean(self, mend: str = "Mend the data, or write what is sound with `--fix OUT`.") -> None:
        """Fail where anything failed.

        Raises:
            DataError: names the kinds with their counts, and the first example.
        """
        found = self.found()
        if not found:
            return
        told = ", ".join(f"{kind} {count}" for kind, count in found.items())
        raise DataError(
            f"the data has {sum(found.values())} problems: {told}",
            given=f"for example {self.examples[next(iter(found))][0]}",
            mend=mend,
        )

    def to_mapping(self) -> dict[str, Any]:
        """Plain values, for programs."""
        return {
            "clean": self.is_clean,
            "problems": {kind: self._describe(kind) for kind in self.found()},
            "warnings": {kind: self._describe(kind) for kind in self.found(warnings=True)},
            "held_out_texts_of_one_or_two_words": self.short_overlaps,
            "files": {str(path): summary.to_mapping() for path, summary in self.summaries.items()},
            "checked": self.checked,
        }

    def _describe(self, kind: str) -> dict[str, Any]:
        examples = [{"told": str(example), "id": example.item, "line": example.line} for example in self.examples[kind]]
        return {
            "count": self.counts[kind],
            "told": KINDS[kind].told,
            "mend": KINDS[kind].mend,
            "examples": examples,
        }
