import json
from pathlib import Path

import pytest

from sprachbund.data.checking.problems import KINDS, NUM_EXAMPLES, Problem, Report, Summary
from sprachbund.errors import DataError

FILE = Path("train.jsonl.gz")


def problem(kind: str, line: int = 1, item: str = "a") -> Problem:
    return Problem(kind, "why", FILE, line, item, "a.wav")


@pytest.mark.parametrize("kind", KINDS)
def test_kinds_say_what_is_wrong_and_what_to_do(kind: str):
    meaning = KINDS[kind]
    assert len(kind) < 22  # the column of the table
    assert not meaning.told.endswith(".")
    assert meaning.mend.endswith(".")


def test_a_report_counts_all_and_keeps_few():
    report = Report()
    for line in range(1, 11):
        report.blame(problem("bad-line", line))
    report.blame(problem("clipped", 3))
    assert report.found() == {"bad-line": 10}
    assert report.found(warnings=True) == {"clipped": 1}
    assert [example.line for example in report.examples["bad-line"]] == [1, 2, 3][:NUM_EXAMPLES]
    assert report.count_blamed([FILE]) == 10
    assert report.count_blamed([Path("other")]) == 0
    table = "\n".join(report.lines())
    assert f"bad-line{'':<20}10  a line is no cut" in table
    assert "and 7 more" in table
    assert KINDS["bad-line"].mend in table
    assert "clipped" not in table


def test_warnings_leave_the_data_clean_and_undropped():
    report = Report()
    report.blame(problem("silent"))
    assert report.is_clean
    assert not report.blamed
    report.require_clean()
    report.add(problem("empty-text"))
    assert not report.is_clean
    with pytest.raises(DataError, match=r"1 problems: empty-text 1 .*train\.jsonl\.gz, line 1; a\.wav.*why"):
        report.require_clean()


def test_a_problem_is_one_line_without_commands_for_the_terminal():
    told = str(Problem("bad-line", "a\nb\x1b[31m", FILE, 7, "i\rd"))
    assert told == "i d (train.jsonl.gz, line 7): a b [31m"
    assert str(Problem("bad-line", "why", FILE, 7)) == "train.jsonl.gz, line 7: why"
    assert str(Problem("damaged-file", "empty", FILE, 0)) == "train.jsonl.gz: empty"


def test_overlaps_of_few_words_are_told_apart():
    report = Report(short_overlaps=2)
    report.add(problem("held-out-text"))
    assert "2 of one or two words" in next(iter(report.lines()))


def test_reports_become_json():
    report = Report(checked=["rate: any"], summaries={FILE: Summary(clips=2, seconds=90, rates={16000})})
    report.summaries[Path("a.txt")] = Summary(clips=3, words=4, is_text=True)
    report.blame(problem("too-long"))
    report.blame(problem("silent"))
    facts = json.loads(json.dumps(report.to_mapping()))
    assert facts["clean"] is False
    assert facts["problems"]["too-long"]["count"] == 1
    assert facts["problems"]["too-long"]["examples"][0]["id"] == "a"
    assert list(facts["warnings"]) == ["silent"]
    assert facts["files"]["train.jsonl.gz"]["minutes"] == 1.5
    assert facts["files"]["a.txt"] == {"lines": 3, "words": 4, "characters": 0}


def test_summaries_in_words():
    summary = Summary(clips=2, seconds=90, speakers={"x"}, languages={"en", "de"}, rates={8000, 16000})
    summary.add_text("two words")
    assert str(summary) == "2 clips, 1.50 minutes, 2 words, 9 characters, 1 speakers, de en, 8000 Hz 16000 Hz"
    assert str(Summary(clips=2, is_text=True)) == "2 lines, 0 words, 0 characters"
