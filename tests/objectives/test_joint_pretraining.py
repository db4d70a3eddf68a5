import pytest
import torch

from models.speecht5.sizes import build
from objectives.batches import quiet_model, speech_batch, text_batch
from sprachbund.errors import DataError
from sprachbund.objectives.joint_pretraining import JointPretraining, JointPretrainingConfig
from sprachbund.objectives.speech_pretraining import SpeechPretraining
from sprachbund.objectives.text_pretraining import TextPretraining

BATCHES = {"speech": speech_batch(), "text": text_batch()}


def test_one_forward_covers_both_streams():
    model = quiet_model().eval()
    objective = JointPretraining(model, JointPretrainingConfig(text_weight=3.0))
    loss = objective(BATCHES)
    expected = SpeechPretraining(model)(BATCHES["speech"]).total() + 3 * TextPretraining(model)(BATCHES["text"]).total()
    torch.testing.assert_close(loss.total(), expected)
    assert objective.counts(BATCHES) == {term.name: term.count for term in loss.terms}
    assert {name.split("/")[0] for name in loss.figures} == {"speech", "text"}


def test_the_model_is_one():
    model = build()
    objective = JointPretraining(model)
    assert {id(part.model) for part in objective.objectives.values()} == {id(model)}
    assert sum(p.numel() for p in objective.parameters()) == sum(p.numel() for p in model.parameters())


@pytest.mark.parametrize("stream", ["speech", "text"])
def test_a_stream_can_be_left_out(stream):
    other = {"speech": "text", "text": "speech"}[stream]
    objective = JointPretraining(build(), JointPretrainingConfig(**{f"{stream}_weight": 0.0}))
    loss = objective(BATCHES)
    assert {term.name.split("/")[0] for term in loss.terms} == {other}
    assert set(objective.counts(BATCHES)) == {term.name for term in loss.terms}
    absent = JointPretraining(build())({other: BATCHES[other]})
    assert {term.name.split("/")[0] for term in absent.terms} == {other}


def test_all_that_pretraining_teaches_learns():
    model = build(num_speakers=None)
    JointPretraining(model)(BATCHES).total().backward()
    idle = {name for name, p in model.named_parameters() if p.requires_grad and p.grad is None}
    assert idle == {"ctc_head.weight", "ctc_head.bias"}


def test_an_unknown_stream_is_refused():
    with pytest.raises(DataError, match="video"):
        JointPretraining(build())({"video": BATCHES["speech"]})
    with pytest.raises(DataError, match="TextBatch"):
        JointPretraining(build())({"speech": BATCHES["text"]})
