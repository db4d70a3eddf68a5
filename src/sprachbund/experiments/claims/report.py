"""The report of a comparison: a page with plots, tables in Markdown for the documentation, and all figures as JSON."""

import io
import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from matplotlib.figure import Figure

from sprachbund.evaluation.plots import COLOURS, to_png
from sprachbund.evaluation.report import Block, Paragraph, Picture, Report, Section, Table, write_report
from sprachbund.experiments.claims.budget import Budget
from sprachbund.experiments.claims.data import SharedData
from sprachbund.experiments.claims.figures import ErrorFigures, Figures, collect
from sprachbund.experiments.claims.judging import (
    BY_NAME,
    MAIN,
    judge_claim,
    judge_collapse,
    judge_contrast,
    judge_translation,
    percents,
    points,
    scores,
)
from sprachbund.experiments.claims.places import SEARCHES, TEST_SETS
from sprachbund.experiments.claims.rows import ROWS
from sprachbund.files import write_atomically

HTML, MARKDOWN = "report.html", "report.md"


def write_all(shared: SharedData, missing: Sequence[str], hardware: str) -> Path:
    """Write the page, the tables and the figures of what is done, and return the page.

    Args:
        shared: the budget and the places.
        missing: names of the jobs that are not done.
        hardware: a line about the machine.
    """
    figures, out = collect(shared), shared.places.out
    report = compose(figures, shared.budget, missing, hardware)
    with write_atomically(shared.places.figures, "w") as handle:
        json.dump({"budget": asdict(shared.budget), "missing": list(missing), **asdict(figures)}, handle, indent=1)
        handle.write("\n")
    with write_atomically(out / MARKDOWN, "w") as handle:
        handle.write(as_markdown(report))
    write_report(report, out / HTML)
    return out / HTML


def compose(figures: Figures, budget: Budget, missing: Sequence[str], hardware: str) -> Report:
    """The page of what is known."""
    state = f"{len(missing)} jobs are not done yet: what they would tell is missing below." if missing else ""
    return Report(
        title="sprachbund: does text in pre-training help?",
        summary=" ".join(part for part in (f"Budget “{budget.name}”, on {hardware}.", state) if part),
        sections=(
            Section("What came out", (judge_claim(figures), *_contrasts(figures))),
            Section("Recognition", tuple(_recognition(figures))),
            Section("Translation of English", tuple(_translation(figures))),
            Section("The rows", (_rows(figures),)),
            Section("The budget, the same for every row", _budget(budget)),
        ),
    )


def as_markdown(report: Report) -> str:
    """The page without its pictures, in Markdown."""
    out = io.StringIO()
    out.write(f"# {report.title}\n\n{report.summary}\n")
    for section in report.sections:
        out.write(f"\n## {section.title}\n")
        for block in section.blocks:
            if isinstance(block, Table):
                out.write(f"\n{block.caption}\n\n" if block.caption else "\n")
                lines = [block.header, tuple("---" for _ in block.header), *block.rows]
                out.writelines(f"| {' | '.join(cell.replace('|', '/') for cell in line)} |\n" for line in lines)
            elif not isinstance(block, Picture):
                out.write(f"\n{getattr(block, 'text', '')}\n")
    return out.getvalue()


def plot_errors(found: Sequence[ErrorFigures]) -> bytes:
    """Bars of character error rates, a dot for every seed; the whisker is the deviation over seeds."""
    figure = Figure(figsize=(8, 0.9 + 0.42 * len(found)), layout="constrained")
    axes = figure.add_subplot()
    for place, each in enumerate(found):
        colour = COLOURS[0] if BY_NAME[each.row].reads_text else COLOURS[5]
        deviation = 0.0 if each.cer.deviation is None else 100 * each.cer.deviation
        axes.barh(place, 100 * each.cer.mean, xerr=deviation, color=colour, alpha=0.6, capsize=3)
        axes.plot([100 * value for value in each.cer.values.values()], [place] * len(each.cer.values), "k.", ms=4)
    axes.set_yticks(range(len(found)), [BY_NAME[each.row].title for each in found])
    axes.invert_yaxis()
    axes.set_xlabel("character error rate, %")
    return to_png(figure)


def plot_differences(found: Sequence[ErrorFigures]) -> bytes:
    """Differences to the row without pre-training, with intervals of 95 %."""
    figure = Figure(figsize=(8, 0.9 + 0.42 * len(found)), layout="constrained")
    axes = figure.add_subplot()
    axes.axvline(0, color="black", linewidth=0.8)
    for place, each in enumerate(found):
        value = each.cer_difference
        assert value is not None
        sides = [[100 * (value.difference - value.low)], [100 * (value.high - value.difference)]]
        colour = COLOURS[0] if BY_NAME[each.row].reads_text else COLOURS[5]
        axes.errorbar([100 * value.difference], [place], xerr=sides, fmt="o", color=colour, capsize=4)
    axes.set_yticks(range(len(found)), [BY_NAME[each.row].title for each in found])
    axes.invert_yaxis()
    axes.set_xlabel("points of character error rate against no pre-training; left is better")
    return to_png(figure)


def _contrasts(figures: Figures) -> tuple[Block, ...]:
    if not figures.contrasts:
        return ()
    header = ("question", "test", "search", "CER, points", "WER, points", "seeds")
    rows = tuple(
        (each.contrast.question, each.test_set, each.search, points(each.cer), points(each.wer), str(each.num_seeds))
        for each in figures.contrasts
    )
    note = "Intervals of 95 % by paired bootstrap over clips, seeds pooled; below 0 the answer is yes; * leaves out 0."
    main = [each for each in figures.contrasts if (each.test_set, each.search) == MAIN]
    return (*(judge_contrast(each) for each in main[1:]), Table(header, rows, caption=note))


def _recognition(figures: Figures) -> list[Block]:
    blocks: list[Block] = []
    header = ("row", "CER %", "WER %", "CER against no pre-training", "WER against no pre-training", "blank frames")
    for test_set in TEST_SETS:
        for search, told in SEARCHES.items():
            found = [each for each in figures.errors if (each.test_set, each.search) == (test_set, search)]
            if not found:
                continue
            title = f"{test_set}, {told}"
            rows = tuple((BY_NAME[each.row].title, *_cells(each)) for each in found)
            blocks.append(Table(header, rows, caption=f"{title}: mean ± deviation over (so many) seeds"))
            blocks += [warning for each in found if (warning := judge_collapse(each)) is not None]
            alt = "; ".join(f"{BY_NAME[each.row].title} {percents(each.cer)} %" for each in found)
            caption = f"{title}. Blue: unpaired text in pre-training. Dots: seeds."
            blocks.append(Picture(plot_errors(found), caption, f"Character error rates: {alt}."))
            compared = [each for each in found if each.cer_difference is not None]
            if compared:
                caption = f"{title}. Differences with intervals of 95 % over clips, seeds pooled."
                alt = "; ".join(f"{BY_NAME[each.row].title} {points(each.cer_difference)}" for each in compared)
                blocks.append(Picture(plot_differences(compared), caption, f"Differences: {alt}."))
    return blocks or [Paragraph("Nothing is tested yet.")]


def _cells(each: ErrorFigures) -> tuple[str, ...]:
    blank = "-" if each.blank_rate is None else f"{100 * each.blank_rate:.1f} %"
    return percents(each.cer), percents(each.wer), points(each.cer_difference), points(each.wer_difference), blank


def _translation(figures: Figures) -> list[Block]:
    if not figures.translations:
        return [Paragraph("Nothing is translated yet.")]
    figured = ("BLEU", "BLEU, lower-cased", "chrF", "different texts", "BLEU against no pre-training", "lower-cased")
    rows = tuple(
        (
            each.language,
            BY_NAME[each.row].title,
            *(scores(each.scores[metric]) for metric in ("BLEU", "BLEU-lc", "chrF")),
            f"{each.different.mean:.0f} of {each.num_clips}",
            points(each.difference, 1.0),
            points(each.difference_lower_cased, 1.0),
        )
        for each in figures.translations
    )
    signatures = dict.fromkeys(
        f"{metric}: {said}" for each in figures.translations for metric, said in each.signatures.items()
    )
    table = Table(("into", "row", *figured), rows, caption="Steel Sky test: mean ± deviation over (so many) seeds")
    findings = [found for each in figures.translations if (found := judge_translation(each)) is not None]
    return [table, *findings, *(Paragraph(told) for told in signatures)]


def _rows(figures: Figures) -> Table:
    header = ("row", "pre-trained on", "measured against", "supervision from outside in pre-training")
    rows = tuple(
        (
            row.title,
            row.told,
            "-" if row.baseline is None else BY_NAME[row.baseline].title,
            "; ".join(figures.supervision.get(row.name, ("not known yet",))),
        )
        for row in ROWS
    )
    return Table(header, rows)


def _budget(budget: Budget) -> tuple[Block, ...]:
    rows = tuple((name.replace("_", " "), str(value)) for name, value in asdict(budget).items())
    return (Table(("choice", "value"), rows),)
