"""A report as typed building blocks, and the one HTML page made of them.

The page needs nothing but itself: pictures and recordings are inside it, nothing is fetched, nothing is run. Every text
is escaped, because references and hypotheses are whatever somebody's files hold. The same report gives the same bytes.
"""

import base64
import re
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import Literal

from sprachbund.errors import DataError
from sprachbund.evaluation.alignment import AlignedWords, align_words
from sprachbund.files import write_atomically


@dataclass(frozen=True)
class Paragraph:
    """A paragraph of plain text."""

    text: str


@dataclass(frozen=True)
class Finding:
    """A sentence that the figures decided: it holds, it does not, or they do not tell."""

    text: str
    verdict: Literal["holds", "fails", "open"]


@dataclass(frozen=True)
class KeyFigure:
    """A number to be seen first."""

    value: str
    label: str
    note: str = ""


@dataclass(frozen=True)
class KeyFigures:
    """Numbers side by side."""

    figures: tuple[KeyFigure, ...]


@dataclass(frozen=True)
class Table:
    """A table; the first cell of a row names it."""

    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    caption: str = ""


@dataclass(frozen=True)
class Picture:
    """A PNG picture; `alt` says in words what it shows."""

    png: bytes
    caption: str
    alt: str


@dataclass(frozen=True)
class NamedHypothesis:
    """What one system heard."""

    system: str
    text: str


@dataclass(frozen=True)
class Clip:
    """A recording, what was said, and what systems heard."""

    title: str
    audio: bytes  # the bytes of a wav, flac, ogg or mp3 file
    reference: str
    hypotheses: tuple[NamedHypothesis, ...]


@dataclass(frozen=True)
class Clips:
    """Recordings to listen to, with the errors of every system marked."""

    clips: tuple[Clip, ...]


Block = Paragraph | Finding | KeyFigures | Table | Picture | Clips


@dataclass(frozen=True)
class Section:
    """A heading and what stands under it."""

    title: str
    blocks: tuple[Block, ...]


@dataclass(frozen=True)
class Report:
    """A page."""

    title: str
    sections: tuple[Section, ...]
    summary: str = ""  # a sentence under the title
    language: str = "en"  # of the page's own text, as HTML names it


def write_report(report: Report, path: Path) -> None:
    """Write the page, whole or not at all.

    Raises:
        DataError: a picture is no PNG, a recording is of no known kind, or a table's rows differ in width.
    """
    page = render_report(report)
    with write_atomically(path) as handle:
        handle.write(page)


def render_report(report: Report) -> bytes:
    """The page as UTF-8; see `write_report`."""
    template = Template(files("sprachbund.evaluation").joinpath("report.html").read_text("utf-8"))
    sections = list(enumerate(report.sections, start=1))
    page = template.substitute(
        language=_text(report.language),
        title=_text(report.title),
        summary=f'<p class="summary">{_text(report.summary)}</p>' if report.summary else "",
        contents="\n".join(f'<li><a href="#section-{n}">{_text(section.title)}</a></li>' for n, section in sections),
        sections="\n".join(_render_section(section, number) for number, section in sections),
    )
    return page.encode("utf-8", errors="replace")


def _render_section(section: Section, number: int) -> str:
    blocks = "\n".join(_render_block(block) for block in section.blocks)
    return (
        f'<section aria-labelledby="section-{number}">\n<h2 id="section-{number}">{_text(section.title)}</h2>\n'
        f"{blocks}\n</section>"
    )


def _render_block(block: Block) -> str:
    match block:
        case Paragraph():
            return f"<p>{_prose(block.text)}</p>"
        case Finding():
            return _render_finding(block)
        case KeyFigures():
            return _render_key_figures(block)
        case Table():
            return _render_table(block)
        case Picture():
            return _render_picture(block)
        case Clips():
            return "\n".join(_render_clip(clip) for clip in block.clips)


def _render_finding(finding: Finding) -> str:
    # The word is there for those who do not see the colour.
    word = {"holds": "Shown", "fails": "Fails", "open": "Open"}[finding.verdict]
    return f'<p class="finding {finding.verdict}"><strong>{word}</strong> {_prose(finding.text)}</p>'


def _render_key_figures(block: KeyFigures) -> str:
    cells = []
    for figure in block.figures:
        note = f'<dd class="note">{_text(figure.note)}</dd>' if figure.note else ""
        cells.append(f"<div><dt>{_text(figure.label)}</dt><dd>{_prose(figure.value)}</dd>{note}</div>")
    return f'<dl class="figures">\n{"".join(cells)}\n</dl>'


def _render_table(table: Table) -> str:
    if any(len(row) != len(table.header) for row in table.rows):
        raise DataError(
            "a table's rows differ in width",
            where=table.caption or None,
            given=f"{sorted({len(row) for row in table.rows})} cells under {len(table.header)} headings",
            mend="Give every row one cell for each heading.",
        )
    numeric = [all(_is_number(row[column]) for row in table.rows) for column in range(len(table.header))]
    caption = f"<caption>{_text(table.caption)}</caption>" if table.caption else ""
    head = _render_cells(table.header, numeric, ["th scope=col"] * len(table.header))
    tags = ["th scope=row", *["td"] * (len(table.header) - 1)]
    body = "\n".join(_render_cells(row, numeric, tags) for row in table.rows)
    # A wide table scrolls by itself, also with the keyboard, and never widens the page of a phone.
    return (
        f'<div class="wide" role="region" tabindex="0" aria-label="{_text(table.caption or table.header[0])}">\n'
        f"<table>{caption}\n<thead>{head}</thead>\n<tbody>{body}</tbody>\n</table>\n</div>"
    )


def _render_cells(cells: Sequence[str], numeric: Sequence[bool], tags: Sequence[str]) -> str:
    rendered = []
    for cell, is_numeric, tag in zip(cells, numeric, tags, strict=True):
        style = ' class="number"' if is_numeric else ""
        rendered.append(f'<{tag}{style} dir="auto">{_text(cell)}</{tag.split()[0]}>')
    return f"<tr>{''.join(rendered)}</tr>"


def _render_picture(picture: Picture) -> str:
    if not picture.png.startswith(b"\x89PNG\r\n\x1a\n"):
        raise DataError("a picture is no PNG", where=picture.caption, mend="Give the bytes of a PNG file.")
    source = f"data:image/png;base64,{base64.b64encode(picture.png).decode('ascii')}"
    return (
        f'<figure><div class="picture" role="region" tabindex="0" aria-label="{_text(picture.caption)}">'
        f'<img src="{source}" alt="{_text(picture.alt)}"></div>'
        f"<figcaption>{_text(picture.caption)}</figcaption></figure>"
    )


def _render_clip(clip: Clip) -> str:
    source = f"data:{_media_type(clip)};base64,{base64.b64encode(clip.audio).decode('ascii')}"
    heard = "".join(
        f'<dt>{_text(hypothesis.system)}</dt><dd dir="auto">{_render_errors(clip.reference, hypothesis.text)}</dd>'
        for hypothesis in clip.hypotheses
    )
    return (
        f'<article class="clip"><h3 dir="auto">{_text(clip.title)}</h3>'
        f'<audio controls preload="metadata" aria-label="{_text(clip.title)}" src="{source}"></audio>'
        f'<dl><dt>said</dt><dd dir="auto">{_text(clip.reference) or _nothing()}</dd>{heard}</dl></article>'
    )


def _render_errors(reference: str, hypothesis: str) -> str:
    """The hypothesis with wrong words marked, and the words it misses struck out."""
    words = " ".join(_render_words(words) for words in align_words(reference, hypothesis))
    return words if hypothesis.split() else f"{_nothing()} {words}"


def _render_words(words: AlignedWords) -> str:
    if words.kind == "equal":
        return _text(words.hypothesis)
    struck = f"<del>{_text(words.reference)}</del>" if words.reference else ""
    marked = f"<mark>{_text(words.hypothesis)}</mark>" if words.hypothesis else ""
    return " ".join(part for part in (struck, marked) if part)


def _nothing() -> str:
    return '<em class="nothing">nothing</em>'


def _media_type(clip: Clip) -> str:
    """The kind of a recording by its first bytes."""
    audio = clip.audio
    if audio[:4] == b"RIFF" and audio[8:12] == b"WAVE":
        return "audio/wav"
    if audio[:4] == b"fLaC":
        return "audio/flac"
    if audio[:4] == b"OggS":
        return "audio/ogg"
    if audio[:3] == b"ID3" or (len(audio) > 1 and audio[0] == 0xFF and audio[1] & 0xE6 == 0xE2):
        return "audio/mpeg"
    raise DataError(
        "a recording is of no kind that browsers play", where=clip.title, mend="Give wav, flac, ogg or mp3 bytes."
    )


def _is_number(cell: str) -> bool:
    """Whether a cell starts as a number does, or says that there is none."""
    return bool(re.match(r"[-+]?\d", cell)) or cell in ("", "-")


def _prose(text: str) -> str:
    """Text of the report's own, in which a line never breaks between a number and its per cent sign."""
    return re.sub(r"(?<=\d) %", "\u00a0%", _text(text))


def _text(text: str) -> str:
    """Text made harmless and legal: markup escaped, control characters shown as the replacement character."""
    return escape(re.sub(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]", "\ufffd", text), quote=True)
