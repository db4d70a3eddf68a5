import json
from dataclasses import replace
from pathlib import Path

import pytest

from experiments.claims_folder import shared_of, write_errors, write_translations
from sprachbund.evaluation.error_rates import PairedDifference
from sprachbund.evaluation.report import Table
from sprachbund.experiments.claims.figures import collect
from sprachbund.experiments.claims.report import (
    HTML,
    MARKDOWN,
    as_markdown,
    compose,
    plot_differences,
    plot_errors,
    write_all,
)
from sprachbund.experiments.claims.rows import ROWS

PNG = b"\x89PNG"


def test_a_report_of_nothing_says_so(tmp_path: Path) -> None:
    shared = shared_of(tmp_path)
    page = write_all(shared, ["a", "b"], "a machine")
    text = (shared.places.out / MARKDOWN).read_text("utf-8")
    assert page == shared.places.out / HTML
    for said in ("2 jobs are not done yet", "Nothing is tested yet", "Nothing is translated yet", "Not known yet"):
        assert said in text
        assert said in page.read_text("utf-8")
    assert json.loads(shared.places.figures.read_text("utf-8"))["missing"] == ["a", "b"]


@pytest.mark.slow
def test_a_report_of_all_rows(tmp_path: Path) -> None:
    shared = shared_of(tmp_path)
    for number, row in enumerate(ROWS):
        write_errors(shared, row.name, [number + 2, number + 3])
    for row in ROWS:
        if row.translation:
            write_translations(shared, row.name, [5, 6])
    page = write_all(shared, [], "a machine").read_text("utf-8")
    assert "not done yet" not in page
    for row in ROWS:
        assert row.title in page
    assert page.count("data:image/png") == 2 * 4
    figures = json.loads(shared.places.figures.read_text("utf-8"))
    assert len(figures["errors"]) == 4 * len(ROWS)
    text = (shared.places.out / MARKDOWN).read_text("utf-8")
    assert "smooth:exp" in text  # the signature
    tables = [line for line in text.splitlines() if line.startswith("|")]
    rows_of = [line for line in tables if line.startswith("| HuBERT ")]
    assert len(rows_of) == 4 + 1


def test_tables_in_markdown_are_whole(tmp_path: Path) -> None:
    shared = shared_of(tmp_path)
    write_errors(shared, "none", [4])
    report = compose(collect(shared), shared.budget, [], "x | y")
    tables = [block for section in report.sections for block in section.blocks if isinstance(block, Table)]
    text = as_markdown(report)
    for table in tables:
        assert all(len(row) == len(table.header) for row in table.rows)
    widths = [line.count("|") for line in text.splitlines() if line.startswith("|")]
    assert len(widths) == sum(len(table.rows) + 2 for table in tables)


def test_differences_of_bleu_stand_in_their_columns(tmp_path: Path) -> None:
    shared = shared_of(tmp_path)
    write_translations(shared, "none", [9])
    write_translations(shared, "speechut", [3])
    figures = collect(shared)
    *others, last = figures.translations
    cased, lower = PairedDifference(1.5, 1.0, 2.0, 0.01), PairedDifference(7.5, 7.0, 8.0, 0.01)
    last = replace(last, difference=cased, difference_lower_cased=lower)
    report = compose(replace(figures, translations=(*others, last)), shared.budget, [], "a machine")
    (table,) = [
        block
        for section in report.sections
        for block in section.blocks
        if isinstance(block, Table) and "BLEU" in block.header
    ]
    told = dict(zip(table.header, table.rows[-1], strict=True))
    assert told["different texts"] == "20 of 20"
    assert told["BLEU against no pre-training"] == "+1.5 (+1.0 to +2.0)*"
    assert told["lower-cased"] == "+7.5 (+7.0 to +8.0)*"


def test_pictures_are_pictures(tmp_path: Path) -> None:
    shared = shared_of(tmp_path)
    write_errors(shared, "none-ctc", [9, 9])
    write_errors(shared, "hubert", [3, 5])
    found = [each for each in collect(shared).errors if (each.test_set, each.search) == ("asterisk", "lm")]
    assert plot_errors(found).startswith(PNG)
    assert plot_differences(found[1:]).startswith(PNG)
    assert plot_errors(found) == plot_errors(found)
