from pathlib import Path

import torch

import tiny
from sprachbund.models.hubert.model import Hubert
from sprachbund.models.speecht5.model import SpeechT5
from sprachbund.objectives.joint_pretraining import JointPretraining
from sprachbund.objectives.masked_prediction import MaskedPrediction
from sprachbund.objectives.recognition import Recognition
from sprachbund.training.assembly.parts import Assembly
from training.assembly.building import build


def test_weights_come_from_the_seed(tmp_path: Path) -> None:
    plain = tiny.recognition_recipe(tmp_path)
    first, again, other = (
        build(plain, {"run": {"seed": seed}})[0].model.state_dict()["ctc_head.weight"] for seed in (1, 1, 2)
    )
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_each_task_has_its_parts(tmp_path: Path) -> None:
    kinds = {
        "joint": (tiny.pretraining_recipe(tmp_path / "joint"), JointPretraining, SpeechT5),
        "encoder": (tiny.encoder_recipe(tmp_path / "encoder"), MaskedPrediction, Hubert),
        "recognition": (tiny.recognition_recipe(tmp_path / "recognition"), Recognition, SpeechT5),
    }
    for plain, objective, model in kinds.values():
        assembly, _ = build(plain)
        assert isinstance(assembly, Assembly)
        assert isinstance(assembly.objective, objective)
        assert type(assembly.model) is model
        assert assembly.objective.model is assembly.model
