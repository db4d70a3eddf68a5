from dataclasses import fields

from sprachbund.experiments.claims.budget import BUDGETS


def test_budgets_are_known_by_their_names() -> None:
    assert {name: budget.name for name, budget in BUDGETS.items()} == {"claims": "claims", "quick": "quick"}


def test_the_quick_one_is_never_more_work() -> None:
    quick, real = BUDGETS["quick"], BUDGETS["claims"]
    steps = [field.name for field in fields(real) if field.name.endswith("_steps")]
    assert steps
    assert all(getattr(quick, name) < getattr(real, name) for name in steps)
    assert quick.every_line > real.every_line
    assert set(quick.languages) < set(real.languages)


def test_the_real_one_is_what_was_promised() -> None:
    real = BUDGETS["claims"]
    assert (len(set(real.seeds)), real.languages, real.labelled_minutes, real.test_clips) == (
        3,
        ("de", "fr", "es"),
        20.0,
        None,
    )
