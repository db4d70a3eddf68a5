import torch

from models.speech_units.sizes import NUM_UNITS, build
from sprachbund.nn.prediction import UnitPredictor


def test_both_places_compare_by_cosine():
    model = build("speechlm")
    assert isinstance(model.unit_predictor, UnitPredictor) and isinstance(model.top_predictor, UnitPredictor)
    logits = model.top_unit_logits(torch.randn(5, 24))
    assert logits.shape == (5, NUM_UNITS)
    assert logits.abs().max() <= 1 / model.config.unit_temperature + 1e-4


def test_the_top_may_have_a_dictionary_of_its_own():
    assert build("speechlm_two_labels").top_unit_logits(torch.randn(5, 24)).shape == (5, 11)
