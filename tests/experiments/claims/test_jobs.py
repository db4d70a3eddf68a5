from dataclasses import replace
from pathlib import Path

import pytest

from experiments.claims_folder import BUDGET, shared_of
from sprachbund.experiments.claims.budget import BUDGETS
from sprachbund.experiments.claims.jobs import all_jobs
from sprachbund.experiments.claims.rows import ROWS


@pytest.mark.parametrize("budget", BUDGETS)
def test_needs_stand_before_what_needs_them(tmp_path: Path, budget: str) -> None:
    seen: set[str] = set()
    for name, job in all_jobs(shared_of(tmp_path, BUDGETS[budget])).items():
        assert job.name == name
        assert set(job.needs) <= seen
        seen.add(name)


def test_every_row_has_one_pretraining_and_all_its_seeds(tmp_path: Path) -> None:
    budget = replace(BUDGET, seeds=(4, 7, 9), languages=("de", "fr"))
    names = set(all_jobs(shared_of(tmp_path, budget)))
    for row in ROWS:
        assert (f"{row.name}-pretraining" in names) == (row.pretraining is not None)
        assert f"{row.name}-tuning" in names
        for seed in budget.seeds:
            assert {f"{row.name}-recognition-{seed}", f"{row.name}-test-{seed}"} <= names
            for language in budget.languages:
                found = {f"{row.name}-{language}-{seed}", f"{row.name}-{language}-test-{seed}"} & names
                assert len(found) == (2 if row.translation else 0)


def test_breadth_comes_first(tmp_path: Path) -> None:
    order = list(all_jobs(shared_of(tmp_path, BUDGETS["claims"])))
    place = {name: number for number, name in enumerate(order)}
    first = max(place[f"{row.name}-test-1"] for row in ROWS)
    translated = [place[f"{row.name}-{to}-1"] for row in ROWS if row.translation for to in ("de", "fr", "es")]
    second = min(place[f"{row.name}-recognition-2"] for row in ROWS)
    assert first < min(translated)
    assert max(translated) < second
