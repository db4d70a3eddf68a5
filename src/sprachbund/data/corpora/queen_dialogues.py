"""Flight of the Amazon Queen's texts: dialogues, cutaways and comments, line by line with the clips that say them."""

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass

from sprachbund.errors import CorpusError

JOE = "JOE"  # the hero, who speaks in all dialogues and in the comments

_SKIPPED = 20  # bytes in front of the data of dialogues and cutaways
_DIALOGUE = struct.Struct(">h2xhhh12xHHH4x")
_LEVEL_BYTES = 96
_LISTS_ALIGNED, _ELSEWHERE_ALIGNED = 4, 2
# A command ends a segment: an asterisk and two characters, or XY and eleven more.
_COMMAND = re.compile(r"\*(?:XY.{0,11}|.{0,2})", re.DOTALL)
_SCENE = re.compile(r"C\d+|[A-Z]+")
_STOCK_ANSWERS, _FIRST_STOCK_LINE = 40, 1187  # comments 1 to 40 are these lines, from 41 on they are those from 0
_MEND = "The data file is damaged; fetch the package again."


@dataclass(frozen=True)
class QueenLine:
    """A text, before it is cut into the segments that have a recording each."""

    prefix: str  # of the names of its clips
    text: str
    speaker: str | None  # a label of the game, not a person
    group: str  # what stays together in a split
    source: str  # DOG, CUT or JAS
    file: str

    def segments(self) -> Iterator[tuple[str, str]]:
        """Names of clips and what they say; segments are numbered from 1 with the empty ones, which have no clip."""
        for number, segment in enumerate(_COMMAND.split(self.text), start=1):
            if segment.strip():
                yield f"{self.prefix}{number:X}.SB".replace(" ", "0").upper(), segment


def read_dialogue(name: str, content: bytes) -> list[QueenLine]:
    """The lines of a dialogue ``NAME.DOG``: the lists of Joe and of the other person, and the closing strings.

    Raises:
        CorpusError: a list does not end where the next one begins.
    """
    group = name.removesuffix(".DOG")
    data = content[_SKIPPED:]
    if len(data) < _DIALOGUE.size:
        raise CorpusError("a dialogue is cut short", where=name, mend=_MEND)
    levels, key, _, _, others_start, others_end, closing = _DIALOGUE.unpack_from(data)
    joes = _read_list(data, _DIALOGUE.size + _LEVEL_BYTES * abs(levels), others_start, name)
    others = _read_list(data, others_start, others_end, name)
    last, position = _read_string(data, closing, _ELSEWHERE_ALIGNED, name)
    answer, _ = _read_string(data, position, _ELSEWHERE_ALIGNED, name)
    other = group.rstrip("0123456789")

    def line(place: str, text: str, speaker: str) -> QueenLine:
        return QueenLine(f"{key:2d}{place}", text, speaker, group, "DOG", name)

    return [
        *(line("SSSSJ", text, JOE) for _, text in joes[:1]),
        *(line(f"{number:4X}J", text, JOE) for number, text in joes),
        *(line(f"{number:4X}P", text, other) for number, text in others),
        line("XXXXP", last, other),
        line("XXXXJ", answer, JOE),
    ]


def read_cutaway(name: str, content: bytes) -> list[QueenLine]:
    """The sentences of a cutaway ``NAME.CUT``, one an object; who speaks them is not told.

    Raises:
        CorpusError: a string leads beyond the end.
    """
    stem, data = name.removesuffix(".CUT"), content[_SKIPPED:]
    if len(data) < 10:
        raise CorpusError("a cutaway is cut short", where=name, mend=_MEND)
    (objects,), (start,) = struct.unpack_from(">h", data, 2), struct.unpack_from(">H", data, 8)
    scene = _SCENE.match(stem)
    group = scene[0] if scene else stem
    _, position = _read_string(data, start, _ELSEWHERE_ALIGNED, name)
    lines = []
    for number in range(1, abs(objects) + 1):
        if position >= len(data):
            break
        text, position = _read_string(data, position, _ELSEWHERE_ALIGNED, name)
        lines.append(QueenLine(f"{stem[:5]:_<5}{number:02d}", text, None, group, "CUT", name))
    return lines


def read_comments(name: str, content: bytes) -> list[QueenLine]:
    """Joe's comments on objects, and his stock answers."""
    texts = content.decode("ascii", "replace").split("\r\n")
    answers = texts[_FIRST_STOCK_LINE : _FIRST_STOCK_LINE + _STOCK_ANSWERS]
    lines = []
    for number, text in [*enumerate(answers, start=1), *enumerate(texts, start=_STOCK_ANSWERS + 1)]:
        prefix = f"{JOE}{number:04d}"
        lines.append(QueenLine(prefix, text, JOE, prefix, "JAS", name))
    return lines


def _read_list(data: bytes, position: int, end: int, where: str) -> list[tuple[int, str]]:
    """Entries of a dialogue list: a zero, an id and a string each."""
    entries = []
    while position < end:
        if position + 4 > len(data):
            raise CorpusError("a dialogue is cut short", where=where, mend=_MEND)
        (number,) = struct.unpack_from(">H", data, position + 2)
        text, position = _read_string(data, position + 4, _LISTS_ALIGNED, where)
        entries.append((number, text))
    if position != end:
        given = f"byte {position} instead of {end}"
        raise CorpusError("a list of a dialogue does not end where it should", where=where, given=given, mend=_MEND)
    return entries


def _read_string(data: bytes, position: int, alignment: int, where: str) -> tuple[str, int]:
    """A string with its length in front, and the position behind it; behind an empty one nothing is aligned."""
    end = position + 1 + data[position] if position < len(data) else len(data) + 1
    if end > len(data):
        raise CorpusError("a text leads beyond its end", where=where, given=f"byte {position}", mend=_MEND)
    text = data[position + 1 : end].decode("ascii", "replace")
    return text, -(-end // alignment) * alignment if text else end
