"""Words in time as files: subtitles (SRT, WebVTT) and TSV."""

import math
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass

from sprachbund.decoding.times.timestamps import WordTime
from sprachbund.errors import RecipeError

ARROW = "-->"


@dataclass(frozen=True, kw_only=True)
class SubtitleConfig:
    """How words are shared out among cues.

    Raises:
        RecipeError: a limit leaves room for nothing.
    """

    max_characters: int = 42  # of a line; a longer word has a line of its own
    max_lines: int = 2
    max_seconds: float = 7.0  # that a cue stands
    max_pause: float = 1.0  # seconds between two words of a cue

    def __post_init__(self) -> None:
        for name in ("max_characters", "max_lines"):
            if getattr(self, name) < 1:
                raise RecipeError(f"{name} is too small", given=getattr(self, name), mend="Give at least 1.")
        for name in ("max_seconds", "max_pause"):
            if not getattr(self, name) > 0:
                raise RecipeError(f"{name} is too small", given=getattr(self, name), mend="Give more than 0.")


@dataclass(frozen=True)
class Cue:
    """What is shown at once; times in milliseconds, `end` after `start`."""

    start: int
    end: int
    lines: tuple[str, ...]


def make_cues(words: Sequence[WordTime], config: SubtitleConfig | None = None) -> list[Cue]:
    """Cues in the order of the words, none of which begins before the one before it has ended.

    A cue ends where the next word finds no room, comes after a pause, or would make it stand too long; a word that
    takes longer than a cue may stands alone. Every cue is shown for a millisecond at least.
    """
    config = config or SubtitleConfig()
    cues = list[Cue]()
    for group in _groups(words, config):
        start = max(_milliseconds(group[0].start), cues[-1].end if cues else 0)
        end = max(_milliseconds(group[-1].end), start + 1)
        cues.append(Cue(start, end, tuple(_lines(group, config))))
    return cues


def format_srt(words: Sequence[WordTime], config: SubtitleConfig | None = None) -> str:
    """SubRip subtitles: numbered cues with times as ``00:00:01,500``; the arrow between times is none of the text."""
    return "".join(
        f"{number}\n{_clock(cue.start, ',')} --> {_clock(cue.end, ',')}\n{_text(cue).replace(ARROW, '→')}\n\n"
        for number, cue in enumerate(make_cues(words, config), start=1)
    )


def format_vtt(words: Sequence[WordTime], config: SubtitleConfig | None = None) -> str:
    """WebVTT subtitles; ``&``, ``<`` and ``>`` are escaped."""
    cues = (
        f"\n{_clock(cue.start, '.')} --> {_clock(cue.end, '.')}\n{_escaped(_text(cue))}\n"
        for cue in make_cues(words, config)
    )
    return "WEBVTT\n" + "".join(cues)


def format_tsv(words: Sequence[WordTime]) -> str:
    """A heading, and a line a word: start and end in seconds, the word, its confidence or nothing."""
    lines = ["start\tend\tword\tconfidence"]
    for word in words:
        sure = "" if word.confidence is None else f"{word.confidence:.3f}"
        start, end = _milliseconds(word.start) / 1000, _milliseconds(word.end) / 1000
        lines.append(f"{start:.3f}\t{end:.3f}\t{_one_line(word.word)}\t{sure}")
    return "".join(f"{line}\n" for line in lines)


def _groups(words: Sequence[WordTime], config: SubtitleConfig) -> list[list[WordTime]]:
    groups = list[list[WordTime]]()
    for word in words:
        if not _one_line(word.word):
            continue
        if groups and _has_room(groups[-1], word, config):
            groups[-1].append(word)
        else:
            groups.append([word])
    return groups


def _has_room(group: Sequence[WordTime], word: WordTime, config: SubtitleConfig) -> bool:
    is_near = word.start - group[-1].end <= config.max_pause
    is_short = word.end - group[0].start <= config.max_seconds
    return is_near and is_short and len(_lines([*group, word], config)) <= config.max_lines


def _lines(group: Sequence[WordTime], config: SubtitleConfig) -> list[str]:
    text = " ".join(_one_line(word.word) for word in group)
    return textwrap.wrap(text, config.max_characters, break_long_words=False, break_on_hyphens=False)


def _text(cue: Cue) -> str:
    return "\n".join(cue.lines)


def _one_line(word: str) -> str:
    # A line break or an empty line inside of a cue would end it.
    return " ".join(word.split())


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _milliseconds(seconds: float) -> int:
    return math.floor(seconds * 1000 + 0.5)


def _clock(milliseconds: int, point: str) -> str:
    seconds, rest = divmod(milliseconds, 1000)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02d}:{minutes:02d}:{seconds:02d}{point}{rest:03d}"
