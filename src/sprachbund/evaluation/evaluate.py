"""The result of one system on one test set: error rates, the clips behind them, saved to files and read back."""

import json
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from sprachbund.errors import DataError
from sprachbund.evaluation.error_rates import (
    ErrorCounts,
    ErrorRate,
    PairedDifference,
    count_character_errors,
    count_word_errors,
    error_rate,
    paired_bootstrap,
)
from sprachbund.files import write_atomically

FIGURES_FILE = "evaluation.json"
CLIPS_FILE = "clips.jsonl"
SUMMARY_FILE = "summary.txt"
_WORST_SHOWN = 10


@dataclass(frozen=True)
class ClipResult:
    """One utterance: what was said, what was heard, and the edits between them."""

    id: str
    reference: str
    hypothesis: str
    words: ErrorCounts
    characters: ErrorCounts


@dataclass(frozen=True)
class EvaluationResult:
    """One system on one test set."""

    wer: ErrorRate
    cer: ErrorRate
    num_clips: int
    num_exact: int  # clips without any error
    blank_rate: float | None  # share of CTC frames that say nothing; None where no CTC head was used
    seconds: float | None  # of audio; None where it is not known
    clips: tuple[ClipResult, ...]


def evaluate(
    transcripts: Iterable[tuple[str, str, str]],
    *,
    blank_rate: float | None = None,
    seconds: float | None = None,
    seed: int = 0,
) -> EvaluationResult:
    """Count the errors of (id, reference, hypothesis) triples. Texts are compared as given, normalised or not.

    Raises:
        DataError: there is no utterance, or an id comes twice.
    """
    clips: dict[str, ClipResult] = {}
    for clip_id, reference, hypothesis in transcripts:
        if clip_id in clips:
            raise DataError("a clip was evaluated twice", given=clip_id, mend="Give every utterance its own id.")
        clips[clip_id] = ClipResult(
            id=clip_id,
            reference=reference,
            hypothesis=hypothesis,
            words=count_word_errors(reference, hypothesis),
            characters=count_character_errors(reference, hypothesis),
        )
    results = tuple(clips.values())
    return EvaluationResult(
        wer=error_rate([clip.words for clip in results], seed=seed),
        cer=error_rate([clip.characters for clip in results], seed=seed),
        num_clips=len(results),
        num_exact=sum(clip.characters.errors == 0 for clip in results),
        blank_rate=blank_rate,
        seconds=seconds,
        clips=results,
    )


def compare_character_errors(a: EvaluationResult, b: EvaluationResult, *, seed: int = 0) -> PairedDifference:
    """The character error rate of `a` minus that of `b`, on the clips both have; see `paired_bootstrap`.

    Raises:
        DataError: the two were not evaluated on the same clips with the same references.
    """
    return _compare(a, b, lambda clip: clip.characters, seed)


def compare_word_errors(a: EvaluationResult, b: EvaluationResult, *, seed: int = 0) -> PairedDifference:
    """The word error rate of `a` minus that of `b`; see `compare_character_errors`."""
    return _compare(a, b, lambda clip: clip.words, seed)


def _compare(
    a: EvaluationResult, b: EvaluationResult, counts: Callable[[ClipResult], ErrorCounts], seed: int
) -> PairedDifference:
    others = {clip.id: clip for clip in b.clips}
    if {clip.id: clip.reference for clip in a.clips} != {clip.id: clip.reference for clip in b.clips}:
        raise DataError(
            "two systems can only be compared on the same clips and references",
            given=f"{a.num_clips} and {b.num_clips} clips",
            mend="Evaluate both on one test set.",
        )
    return paired_bootstrap(
        [counts(clip).errors for clip in a.clips],
        [counts(others[clip.id]).errors for clip in a.clips],
        [counts(clip).length for clip in a.clips],
        seed=seed,
    )


def save_evaluation(result: EvaluationResult, folder: Path) -> None:
    """Write the figures (`evaluation.json`), the clips (`clips.jsonl`) and a text to read (`summary.txt`).

    The figures are written last, so that a folder that has them is complete.
    """
    figures = asdict(result)
    clips = figures.pop("clips")
    with write_atomically(folder / CLIPS_FILE, mode="w") as handle:
        handle.writelines(json.dumps(clip, ensure_ascii=False) + "\n" for clip in clips)
    with write_atomically(folder / SUMMARY_FILE, mode="w") as handle:
        handle.write(summarize(result))
    with write_atomically(folder / FIGURES_FILE, mode="w") as handle:
        json.dump(figures, handle, indent=2)
        handle.write("\n")


def load_evaluation(folder: Path) -> EvaluationResult:
    """Read what `save_evaluation` wrote.

    Raises:
        DataError: a file is missing or is not what was written.
    """
    try:
        figures: dict[str, Any] = json.loads((folder / FIGURES_FILE).read_text("utf-8"))
        lines = (folder / CLIPS_FILE).read_text("utf-8").split("\n")
        clips = tuple(_clip_from(json.loads(line)) for line in lines if line)
        wer, cer = ErrorRate(**figures.pop("wer")), ErrorRate(**figures.pop("cer"))
        result = EvaluationResult(wer=wer, cer=cer, clips=clips, **figures)
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise _not_readable(folder, error) from error
    if result.num_clips != len(clips):
        raise _not_readable(folder, f"{len(clips)} clips where {result.num_clips} were evaluated")
    return result


def summarize(result: EvaluationResult) -> str:
    """A text of a few lines: the rates, and the clips with the most errors."""
    lines = [
        f"clips              {result.num_clips}, of these {result.num_exact} without error",
        f"word error rate    {format_rate(result.wer)}",
        f"character error    {format_rate(result.cer)}",
    ]
    if result.seconds is not None:
        lines.append(f"audio              {result.seconds / 60:.1f} minutes")
    if result.blank_rate is not None:
        lines.append(f"blank frames       {100 * result.blank_rate:.1f} %")
    worst = sorted(result.clips, key=lambda clip: (-clip.characters.errors, clip.id))[:_WORST_SHOWN]
    lines += ["", "clips with the most character errors:"]
    for clip in worst:
        lines += [
            f"  {clip.id}: {clip.characters.errors} of {clip.characters.length} characters",
            f"    said   {clip.reference}",
            f"    heard  {clip.hypothesis}",
        ]
    return "\n".join(lines) + "\n"


def format_rate(rate: ErrorRate) -> str:
    """``12.3 % (10.1 to 14.6; 45 errors in 366)``."""
    interval = f"{100 * rate.low:.1f} to {100 * rate.high:.1f}"
    return f"{100 * rate.rate:.1f} % ({interval}; {rate.errors} errors in {rate.length})"


def _clip_from(record: dict[str, Any]) -> ClipResult:
    words, characters = ErrorCounts(**record.pop("words")), ErrorCounts(**record.pop("characters"))
    return ClipResult(words=words, characters=characters, **record)


def _not_readable(folder: Path, why: object) -> DataError:
    return DataError(
        "the evaluation cannot be read", where=folder, given=why, mend="Run the evaluation again with this version."
    )
