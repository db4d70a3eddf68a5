from pathlib import Path

import pytest

from experiments.claims_folder import note, write_errors
from sprachbund.errors import RecipeError
from sprachbund.experiments.claims import run as module
from sprachbund.experiments.claims.run import Claims
from sprachbund.experiments.claims.work import Job


def claims_of(folder: Path, said: list[str], budget: str = "quick") -> Claims:
    return Claims(budget=budget, out=folder / "out", corpora=folder / "corpora", say=said.append)


def small_jobs(folder: Path, names: tuple[str, ...]) -> dict[str, Job]:
    """Jobs that the command line does not know, so that its process fails."""
    return {name: Job(name=name, choices=dict, work=lambda: None, result=lambda: "x") for name in names}


def test_unknown_budgets_and_jobs_are_refused(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="Did you mean 'quick'"):
        claims_of(tmp_path, [], "quik").report()
    with pytest.raises(RecipeError, match="Did you mean 'hubert-test-1'"):
        claims_of(tmp_path, []).do("hubert-tes-1")


def test_a_job_before_its_needs_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=r"needs others first.*hubert-pretraining"):
        claims_of(tmp_path, []).do("hubert-recognition-1")


def test_the_report_counts_what_is_missing(tmp_path: Path) -> None:
    claims = claims_of(tmp_path, [])
    before = claims.report().read_text("utf-8")
    shared = claims._shared()
    write_errors(shared, "none", [3])
    note(shared, "corpora")
    after = claims.report().read_text("utf-8")
    total = len(module.all_jobs(shared))
    assert f"{total} jobs are not done yet" in before
    assert f"{total - 2} jobs are not done yet" in after


@pytest.mark.slow
def test_failed_jobs_are_told_and_the_report_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "all_jobs", lambda shared: small_jobs(tmp_path, ("corporas",)))
    said: list[str] = []
    with pytest.raises(RecipeError, match=r"jobs have failed .*corporas"):
        claims_of(tmp_path, said).run(workers=1, hours=None)
    assert (tmp_path / "out" / "report.html").exists()
    # It was a process of the command line that refused it.
    assert "there is no such job" in (tmp_path / "out" / "logs" / "corporas.log").read_text("utf-8")


def test_no_time_is_no_work_but_a_report(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "all_jobs", lambda shared: small_jobs(tmp_path, ("a", "b")))
    said: list[str] = []
    page = claims_of(tmp_path, said).run(workers=2, hours=0.0)
    assert page.exists()
    assert said[0] == "0 of 2 jobs are done"
    assert "the same command goes on" in said[-1]
    assert not (tmp_path / "out" / "logs").exists()
