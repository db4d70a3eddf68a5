"""A job is done once, again only where it must be, and never twice at a time."""

import multiprocessing
import time
from dataclasses import replace
from pathlib import Path

import pytest

from sprachbund.errors import RecipeError
from sprachbund.experiments.claims.places import ClaimsPlaces
from sprachbund.experiments.claims.work import Job, do, fingerprint_of_files, is_finished


@pytest.fixture
def places(tmp_path: Path) -> ClaimsPlaces:
    return ClaimsPlaces(tmp_path / "out", tmp_path / "corpora")


def job_of(folder: Path, name: str = "one", **changes: object) -> Job:
    """Adds a line to a file each time it is done."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name

    def work() -> None:
        with path.open("a") as handle:
            handle.write("done\n")

    job = Job(name=name, choices=lambda: {"steps": 3}, work=work, result=lambda: fingerprint_of_files([path]))
    return replace(job, **changes)


def quiet(_: str) -> None:
    pass


def test_a_job_is_done_once(places: ClaimsPlaces, tmp_path: Path) -> None:
    job = job_of(tmp_path)
    assert not is_finished(job, places)
    for _ in range(3):
        do(job, places, quiet)
        assert is_finished(job, places)
    assert (tmp_path / "one").read_text() == "done\n"


def test_a_result_that_was_changed_is_made_again(places: ClaimsPlaces, tmp_path: Path) -> None:
    job = job_of(tmp_path)
    do(job, places, quiet)
    (tmp_path / "one").write_text("other\n")
    assert not is_finished(job, places)
    do(job, places, quiet)
    assert (tmp_path / "one").read_text() == "other\ndone\n"
    (tmp_path / "one").unlink()
    assert not is_finished(job, places)


def test_other_choices_are_refused(places: ClaimsPlaces, tmp_path: Path) -> None:
    do(job_of(tmp_path), places, quiet)
    other = job_of(tmp_path, choices=lambda: {"steps": 4})
    for check in (is_finished, lambda job, at: do(job, at, quiet)):
        with pytest.raises(RecipeError, match="different: steps"):
            check(other, places)


def test_a_job_follows_the_results_it_needs(places: ClaimsPlaces, tmp_path: Path) -> None:
    first, second = job_of(tmp_path), job_of(tmp_path, "two", needs=("one",))
    with pytest.raises(RecipeError, match="needs others first"):
        do(second, places, quiet)
    assert not is_finished(second, places)
    do(first, places, quiet)
    do(second, places, quiet)
    assert is_finished(second, places)
    (tmp_path / "one").write_text("other\n")
    do(first, places, quiet)
    with pytest.raises(RecipeError, match="different: needs"):
        is_finished(second, places)
    places.note("one").unlink()
    assert not is_finished(second, places)


def test_a_job_that_fails_leaves_no_note(places: ClaimsPlaces, tmp_path: Path) -> None:
    def fail() -> None:
        raise RuntimeError("no")

    with pytest.raises(RuntimeError):
        do(job_of(tmp_path, work=fail), places, quiet)
    assert not places.note("one").exists()
    do(job_of(tmp_path), places, quiet)


def test_a_note_that_is_none_is_told(places: ClaimsPlaces, tmp_path: Path) -> None:
    do(job_of(tmp_path), places, quiet)
    places.note("one").write_text("[]")
    with pytest.raises(RecipeError, match=r"note of a job .*Delete it"):
        do(job_of(tmp_path, "two", needs=("one",)), places, quiet)


def _work_slowly(places: ClaimsPlaces, folder: Path) -> None:
    def work() -> None:
        (folder / "begun").touch()
        time.sleep(60)

    do(job_of(folder, work=work), places, quiet)


def test_two_processes_never_do_the_same_and_a_killed_one_leaves_it(places: ClaimsPlaces, tmp_path: Path) -> None:
    process = multiprocessing.get_context("fork").Process(target=_work_slowly, args=(places, tmp_path))
    process.start()
    try:
        while not (tmp_path / "begun").exists():
            assert process.is_alive()
            time.sleep(0.01)
        with pytest.raises(RecipeError, match="another process"):
            do(job_of(tmp_path), places, quiet)
    finally:
        process.kill()
        process.join()
    do(job_of(tmp_path), places, quiet)
    assert (tmp_path / "one").read_text() == "done\n"


def test_fingerprints_tell_files_and_their_order_apart(tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    one.write_bytes(b"ab")
    other.write_bytes(b"c")
    first = fingerprint_of_files([one, other])
    assert first != fingerprint_of_files([other, one])
    one.write_bytes(b"a")
    other.write_bytes(b"bc")
    assert first != fingerprint_of_files([one, other])
