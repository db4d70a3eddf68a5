from pathlib import Path

from commands import assert_refused, run_command


def test_the_report_can_be_had_at_any_time(tmp_path: Path) -> None:
    outcome = run_command("claims", "--out", tmp_path / "out", "--corpora", tmp_path, "--only-report")
    assert outcome.code == 0, outcome.err
    assert outcome.out == f"report: {tmp_path / 'out' / 'report.html'}\n"
    assert (tmp_path / "out" / "report.html").exists()


def test_what_makes_no_sense_is_refused(tmp_path: Path) -> None:
    given = ("claims", "--out", tmp_path / "out", "--corpora", tmp_path)
    assert_refused(run_command(*given, "--budget", "clams", "--only-report"), "budget", "clams", "claims")
    assert_refused(run_command(*given, "--job", "hubert"), "there is no such job", "hubert")
    assert_refused(run_command(*given, "--job", "corpora", "--only-report"), "not both")
    assert not (tmp_path / "out").exists()
