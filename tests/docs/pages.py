"""The commands of a page of the documentation, run as they are written.

What is run: fenced blocks of the kinds ``console`` (commands after ``$ ``, continued after ``> ``, then what they
print) and ``python`` (a program each). A page is run from top to bottom in a folder of its own. A comment before a
block says more about it:

    <!-- run: no (REASON) -->    not run; also for a page that has nothing to run, anywhere on it
    <!-- run: slow -->           in the slow tier
    <!-- run: exit 2 -->         the commands of the block end with this code

Lines of output are compared loosely: each must be printed, in their order, others may stand between; white space counts
once, and ``…`` matches anything within a line. Numbers are compared like all else.
"""

import os
import re
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

FENCE = re.compile(r"^(\s*)(`{3,})\s*(\w*)\s*$")
MARKER = re.compile(r"<!--\s*run:\s*(.*?)\s*-->")
NO = re.compile(r"no \(.{8,}\)")
RUN = ("console", "python")
# Lines that a reader would type; in other blocks they need a marker, so that none is left out by mistake.
TYPED = re.compile(r"^\s*(\$ )?(\.venv/bin/|sprachbund |torchrun |srun |python |pip |make [a-z-]+(\s+#|$))")
FAST_SECONDS, SLOW_SECONDS = 100, 3 * 3600


class PageError(Exception):
    """A page that is not written as agreed, or whose commands do not do what it says."""


@dataclass(frozen=True)
class Command:
    """What is typed, and what is printed then."""

    typed: str
    printed: tuple[str, ...] = ()


@dataclass
class Block:
    """A block of a page."""

    kind: str
    line: int  # of its first line, from 1
    lines: list[str] = field(default_factory=list)
    is_run: bool = True
    is_slow: bool = False
    exit_code: int = 0

    def commands(self) -> list[Command]:
        """The commands of a console block."""
        commands: list[tuple[list[str], list[str]]] = []
        for line in self.lines:
            if line.startswith("$ "):
                commands.append(([line[2:]], []))
            elif not commands:
                raise PageError(f"line {self.line}: a console block begins with '$ '")
            elif line.startswith("> ") and not commands[-1][1]:
                commands[-1][0].append(line[2:])
            elif line.strip():
                commands[-1][1].append(line)
        return [Command("\n".join(typed), tuple(printed)) for typed, printed in commands]


def read_blocks(text: str) -> list[Block]:
    """The blocks of a page that are run, or that could be taken for commands.

    Raises:
        PageError: the page has neither a command nor a marker, an unknown marker, or commands in another kind of block.
    """
    blocks: list[Block] = []
    marker: str | None = None
    num_markers, fence = 0, ""
    for number, line in enumerate(text.split("\n"), start=1):
        if fence:
            fence = "" if line.strip() == fence else fence
            if fence:
                blocks[-1].lines.append(line)
        elif found := MARKER.search(line):
            marker, num_markers = found[1], num_markers + 1
            check_marker(marker, number)
        elif opened := FENCE.match(line):
            fence = opened[2]
            blocks.append(marked(Block(opened[3], number + 1), marker))
            marker = None
        elif line.startswith("    ") and line.strip():
            if not blocks or blocks[-1].kind != "indented" or blocks[-1].line + len(blocks[-1].lines) != number:
                blocks.append(marked(Block("indented", number), marker))
                marker = None
            blocks[-1].lines.append(line)
    for block in blocks:
        if block.is_run and block.kind not in RUN and any(map(TYPED.match, block.lines)):
            told = "write it as ```console with '$ ' before each command, or mark it <!-- run: no (REASON) -->"
            raise PageError(f"line {block.line}: a command that is not run: {told}")
    if not num_markers and not any(block.kind in RUN for block in blocks):
        raise PageError("the page has no command that is run; if it should have none, say <!-- run: no (REASON) -->")
    return [block for block in blocks if block.kind in RUN and block.is_run]


def check_marker(marker: str, number: int) -> None:
    if not NO.fullmatch(marker) and not all(re.fullmatch(r"slow|exit \d+", part) for part in marker.split(", ")):
        raise PageError(f"line {number}: unknown marker '{marker}': 'slow', 'exit NUMBER' or 'no (REASON)'")


def marked(block: Block, marker: str | None) -> Block:
    for part in (marker or "").split(", "):
        if part.startswith("no "):
            block.is_run = False
        elif part == "slow":
            block.is_slow = True
        elif part.startswith("exit "):
            block.exit_code = int(part.split()[1])
    return block


def corpora_of(blocks: list[Block]) -> set[str]:
    """Names of the corpora that blocks read, or get."""
    named = re.compile(r"(?:corpora/(?=[a-z0-9-]+/)|corpus get )([a-z0-9-]+)")
    return {name for block in blocks for line in block.lines for name in named.findall(line)}


def run_blocks(blocks: list[Block], folder: Path) -> None:
    """Run blocks in `folder`, one after the other.

    Raises:
        PageError: a command fails, or does not print what the page says.
    """
    for block in blocks:
        seconds = SLOW_SECONDS if block.is_slow else FAST_SECONDS
        if block.kind == "python":
            program = [sys.executable, "-W", "error::SyntaxWarning", "-c", "\n".join(block.lines)]
            run(program, block, "the program", folder, seconds)
            continue
        for command in block.commands():
            output = run(["bash", "-euo", "pipefail", "-c", command.typed], block, command.typed, folder, seconds)
            missing = first_missing(command.printed, output)
            if missing is not None:
                raise PageError(f"line {block.line}: {command.typed}\nshould print\n{missing}\nbut printed\n{output}")


def run(program: list[str], block: Block, name: str, folder: Path, seconds: int) -> str:
    """What a program prints, on standard output before standard error."""
    # Wide, so that no line is broken; and the commands of this environment.
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "COLUMNS": "240",
        "NO_COLOR": "1",
    }
    try:
        done = subprocess.run(
            program, cwd=folder, env=environment, capture_output=True, text=True, timeout=seconds, check=False
        )
    except subprocess.TimeoutExpired:
        raise PageError(f"line {block.line}: {name}\ntook more than {seconds} s; is it <!-- run: slow -->?") from None
    output = done.stdout + done.stderr
    if done.returncode != block.exit_code:
        expected = f", not with {block.exit_code}" if block.exit_code else ""
        raise PageError(f"line {block.line}: {name}\nended with {done.returncode}{expected}:\n{output[-4000:]}")
    return output


def first_missing(expected: tuple[str, ...], output: str) -> str | None:
    """The first expected line that is not printed behind the one before it; None where all are."""
    printed = iter([" ".join(line.split()) for line in output.splitlines()])
    for line in expected:
        parts = [re.escape(" ".join(part.split())) for part in line.split("…")]
        pattern = re.compile(r"\s*.*\s*".join(parts))
        if not any(pattern.fullmatch(each) for each in printed):
            return line
    return None
