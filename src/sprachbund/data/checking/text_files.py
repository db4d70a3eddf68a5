"""Text streams: one line each, read as they come, so that they may be larger than memory."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from sprachbund.data.checking.lines import Line, read_lines
from sprachbund.data.checking.problems import Fault
from sprachbund.data.checking.texts import TextRules, excerpt


@dataclass(frozen=True)
class JudgedLine:
    """A line with its text and its faults."""

    line: Line
    text: str
    faults: list[Fault]


def judge_lines(path: Path, rules: TextRules) -> Iterator[JudgedLine]:
    """Every line of a text, judged; damage of the file is a fault of its last line.

    Raises:
        DataError: there is no such file.
    """
    for line in read_lines(path):
        text, faults = _judge(line, rules)
        yield JudgedLine(line, text, faults)


def _judge(line: Line, rules: TextRules) -> tuple[str, list[Fault]]:
    if line.damage is not None:
        return "", [Fault("damaged-file", f"after {line.number - 1} lines: {line.damage}")]
    if not line.is_whole:
        return "", [Fault("long-text", f"more than {len(line.content)} bytes")]
    try:
        text = line.content.decode("utf-8")
    except UnicodeDecodeError as error:
        return "", [Fault("wrong-encoding", f"not UTF-8: {excerpt(str(line.content[: error.end][-40:]))}")]
    return text, list(rules.judge(text))
