"""Cleaned copies of what was checked: whole cuts and lines are dropped, and every one of them is listed."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from sprachbund.data.checking.check import Inputs, Outcome
from sprachbund.data.checking.items import cut_of
from sprachbund.data.checking.lines import read_lines
from sprachbund.data.checking.problems import Problem
from sprachbund.data.checking.text_files import judge_lines
from sprachbund.data.checking.texts import TextRules
from sprachbund.data.storage.manifest import write_cuts
from sprachbund.errors import DataError
from sprachbund.files import write_atomically

FILE_SUFFIXES = (".jsonl", ".jsonl.gz", ".txt")


@dataclass
class Fixed:
    """What became of one file."""

    target: Path
    kept: int = 0
    dropped: int = 0  # cuts or lines
    kinds: Counter[str] = field(default_factory=Counter)  # of their problems

    def __str__(self) -> str:
        why = ", ".join(f"{kind} {count}" for kind, count in sorted(self.kinds.items()))
        return f"{self.target}: {self.kept} kept, {self.dropped} dropped" + (f" ({why})" if why else "")

    def to_mapping(self) -> dict[str, Any]:
        """Plain values."""
        return {"file": str(self.target), "kept": self.kept, "dropped": self.dropped, "kinds": dict(self.kinds)}


def plan_targets(inputs: Inputs, out: Path) -> dict[Path, Path]:
    """Where the cleaned copy of each file goes: into the folder `out`, or to `out` where it is named like a file.

    Held-out sets are not rewritten: their figures would not be comparable any more.

    Raises:
        DataError: a copy would replace what is checked, or two files would have one name.
    """
    sources = list(dict.fromkeys([*inputs.manifests, *inputs.texts]))
    is_file = out.name.endswith(FILE_SUFFIXES)
    if is_file and len(sources) > 1:
        raise DataError(
            "several files cannot be written to one",
            where=out,
            given=f"{len(sources)} files",
            mend="Give --fix a folder.",
        )
    targets = {source: out if is_file else out / source.name for source in sources}
    if len(set(targets.values())) < len(targets):
        raise DataError("two files share a name", where=out, mend="Check them one by one, each with its own --fix.")
    originals = {path.resolve() for path in (*sources, *inputs.held_out)}
    written = [*targets.values(), dropped_list(out)]
    if replaced := [path for path in written if path.resolve() in originals]:
        raise DataError("--fix would replace what is checked", where=replaced[0], mend="Give --fix another place.")
    return targets


def dropped_list(out: Path) -> Path:
    """The list of what was dropped, beside `out`."""
    return out.with_name(f"{out.name}.dropped.jsonl")


def write_fixed(inputs: Inputs, out: Path, outcome: Outcome) -> list[Fixed]:
    """Write what is sound of every manifest and text, and the list of what was dropped with the reasons.

    Args:
        inputs: what was checked.
        out: see `plan_targets`.
        outcome: of the check. Texts are judged again, because their faults may be more than memory holds.

    Raises:
        DataError: nothing would be left of a file; see also `plan_targets`.
    """
    targets = plan_targets(inputs, out)
    fixed = []
    with write_atomically(dropped_list(out), "w") as dropped:
        for source in dict.fromkeys(inputs.manifests):
            result = Fixed(targets[source])
            write_cuts(_sound_cuts(source, outcome.report.blamed.get(source, {}), result, dropped), targets[source])
            fixed.append(result)
        for source in dict.fromkeys(inputs.texts):
            fixed.append(_write_text(source, targets[source], outcome.text_rules, dropped))
    return fixed


def _sound_cuts(source: Path, blamed: Mapping[int, list[Problem]], result: Fixed, dropped: IO[str]) -> Iterator[Any]:
    folder = source.parent.resolve()
    for line in read_lines(source):
        if problems := blamed.get(line.number):
            item = next((problem.item for problem in problems if problem.item), None)
            _drop(result, dropped, problems, {"file": str(source), "line": line.number, "id": item})
        elif line.content.strip():
            result.kept += 1
            yield cut_of(line, source, folder)


def _write_text(source: Path, target: Path, rules: TextRules, dropped: IO[str]) -> Fixed:
    result = Fixed(target)
    with write_atomically(target) as handle:
        for judged in judge_lines(source, rules):
            if judged.faults:
                place = {"file": str(source), "line": judged.line.number, "text": judged.text}
                problems = [Problem(fault.kind, fault.detail, source, judged.line.number) for fault in judged.faults]
                _drop(result, dropped, problems, place)
            else:
                result.kept += 1
                handle.write(judged.line.content + b"\n")
        if not result.kept:
            raise DataError("no line of text would be left", where=source, mend="Check its encoding and the limits.")
    return result


def _drop(result: Fixed, dropped: IO[str], problems: list[Problem], place: dict[str, Any]) -> None:
    kinds = dict.fromkeys(problem.kind for problem in problems)
    result.dropped += 1
    result.kinds.update(list(kinds))
    record = {**place, "kinds": list(kinds), "why": [problem.detail for problem in problems]}
    dropped.write(json.dumps(record, ensure_ascii=False) + "\n")
