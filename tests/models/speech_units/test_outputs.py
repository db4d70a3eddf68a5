import torch

from sprachbund.models.speech_units.outputs import MixedStates


def test_mixed_states_name_their_parts():
    mixed = MixedStates(torch.zeros(2, 3, 4), torch.ones(2, 3, dtype=torch.long), None)
    assert mixed.states.shape[:2] == mixed.units.shape and mixed.distance is None
