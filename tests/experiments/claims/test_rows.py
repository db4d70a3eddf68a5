import pytest

from sprachbund.experiments.claims.rows import CONTRASTS, CTC, HYBRID, PREPARED, ROWS
from sprachbund.training.recipe import load_recipe, shipped_recipes
from sprachbund.training.speech_recipes import RecognitionRecipe

BY_NAME = {row.name: row for row in ROWS}


def test_names_are_no_two_alike() -> None:
    assert len(BY_NAME) == len(ROWS)
    assert len({row.title for row in ROWS}) == len(ROWS)


@pytest.mark.parametrize("name", [row.name for row in ROWS])
def test_a_row_names_recipes_that_there_are(name: str) -> None:
    row, known = BY_NAME[name], {*shipped_recipes(), PREPARED, None}
    assert {row.pretraining, row.recognition, row.translation} <= known
    assert (row.pretraining is None) == (row.data is None) == (row.baseline is None)


@pytest.mark.parametrize("name", [row.name for row in ROWS if row.baseline is not None])
def test_a_row_is_measured_against_one_that_is_fine_tuned_by_the_same_objective(name: str) -> None:
    row = BY_NAME[name]
    assert row.baseline in (HYBRID, CTC)
    both = [load_recipe(each.recognition) for each in (row, BY_NAME[row.baseline])]
    uses = [
        (each.objective.decoder_weight > 0, each.objective.ctc_weight > 0)
        for each in both
        if isinstance(each, RecognitionRecipe)
    ]
    assert len(uses) == 2
    assert uses[0] == uses[1]


@pytest.mark.parametrize("name", [row.name for row in ROWS])
def test_recognition_has_one_schedule_for_all(name: str) -> None:
    one, other = (load_recipe(each.recognition) for each in (BY_NAME[name], BY_NAME[HYBRID]))
    assert isinstance(one, RecognitionRecipe)
    assert isinstance(other, RecognitionRecipe)
    assert one.optimization == other.optimization
    assert one.masking == other.masking
    assert one.speech.batch_seconds == other.speech.batch_seconds


def test_contrasts_are_of_known_rows_and_the_claim_differs_in_text_alone() -> None:
    for contrast in CONTRASTS:
        assert {contrast.row, contrast.against} <= set(BY_NAME)
        assert contrast.row != contrast.against
    row, against = BY_NAME[CONTRASTS[0].row], BY_NAME[CONTRASTS[0].against]
    assert (row.reads_text, against.reads_text) == (True, False)
    assert (row.pretraining, row.data, row.recognition) == (against.pretraining, against.data, against.recognition)
