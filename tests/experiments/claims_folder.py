"""A folder of a comparison with made-up results, for tests of what is told about them."""

from collections.abc import Sequence
from pathlib import Path

from sprachbund.evaluation.evaluate import evaluate, save_evaluation
from sprachbund.evaluation.translation import save_translations, score_translations
from sprachbund.experiments.claims.budget import BUDGETS, Budget
from sprachbund.experiments.claims.data import SharedData
from sprachbund.experiments.claims.places import SEARCHES, TEST_SETS, ClaimsPlaces

SAID = [f"this is the {word} line of the test set and it is said aloud" for word in "abcdefghijklmnopqrst"]
BUDGET = BUDGETS["quick"]


def shared_of(folder: Path, budget: Budget = BUDGET) -> SharedData:
    return SharedData(budget, ClaimsPlaces(folder / "out", folder / "corpora"), lambda told: None)


def note(shared: SharedData, job: str) -> None:
    path = shared.places.note(job)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text('{"made_of": {}, "result": "x"}')


def heard(wrong: int) -> list[str]:
    """The lines with so many letters of each of them wrong."""
    return ["z" * wrong + line[wrong:] for line in SAID]


def write_errors(shared: SharedData, row: str, wrong_by_seed: Sequence[int]) -> None:
    """Results of a row on all test sets in all searches."""
    for seed, wrong in enumerate(wrong_by_seed, 1):
        triples = [(str(n), *pair) for n, pair in enumerate(zip(SAID, heard(wrong), strict=True))]
        for test_set in TEST_SETS:
            for search in SEARCHES:
                result = evaluate(triples, blank_rate=0.5 if search == "ctc" else None)
                save_evaluation(result, shared.places.evaluation(row, seed, test_set, search))
        note(shared, f"{row}-test-{seed}")


def write_translations(shared: SharedData, row: str, wrong_by_seed: Sequence[int], language: str = "de") -> None:
    for seed, wrong in enumerate(wrong_by_seed, 1):
        triples = [(str(n), *pair) for n, pair in enumerate(zip(SAID, heard(wrong), strict=True))]
        path = shared.places.translations(row, language, seed)
        path.parent.mkdir(parents=True, exist_ok=True)
        save_translations(score_translations(triples, target=language), path)
        note(shared, f"{row}-{language}-test-{seed}")
