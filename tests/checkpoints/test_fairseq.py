import enum
import pickle
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from fairseq_files import (
    DictConfig,
    Dictionary,
    HubertPretrainingConfig,
    LayerKind,
    SpeechlmConfig,
    SpeechutConfig,
    checkpoint,
    dictionary,
    foreign_modules,
    hubert_arguments,
    namespace,
    omegaconf,
    task_arguments,
    with_fields,
    write,
)
from sprachbund.checkpoints import fairseq
from sprachbund.checkpoints.fairseq import read_fairseq
from sprachbund.errors import CheckpointError
from tiny import Trap

WEIGHTS = {"mask_emb": torch.arange(4.0), "encoder.layer_norm.bias": torch.ones(3), "steps": torch.tensor(5)}
PLAIN = hubert_arguments(label_rate=50, layer_type="transformer", latent_temp=[2, 0.5, 0.999995])


def cfg() -> dict[str, Any]:
    return {"_name": None, "common": {"fp16": True}, "model": hubert_arguments(), "task": task_arguments()}


@pytest.mark.parametrize("new", [True, False], ids=["zip", "legacy"])
@pytest.mark.parametrize("form", ["plain", "omegaconf", "dataclasses"])
def test_configurations_become_plain_values(form: str, new: bool, tmp_path: Path):
    given: Any = cfg()
    if form == "omegaconf":
        given["model"]["latent_temp"] = [2, 0.5, 0.999995]
        given = omegaconf(given)
    elif form == "dataclasses":
        given["task"] = with_fields(HubertPretrainingConfig(), **given["task"])
        given["model"] = namespace(**given["model"])
    found = read_fairseq(write(tmp_path / "checkpoint.pt", checkpoint(WEIGHTS, cfg=given), new=new))
    assert found.architecture == "hubert"
    assert found.model == PLAIN
    assert found.task == task_arguments()
    assert found.has_arguments
    assert list(found.weights) == list(WEIGHTS)
    assert all(torch.equal(found.weights[name], weight) for name, weight in WEIGHTS.items())


def test_older_files_have_all_arguments_in_one(tmp_path: Path):
    arguments = {**PLAIN, "arch": "hubert", "task": "hubert_pretraining", "normalize": True, "label_rate": 25}
    found = read_fairseq(write(tmp_path / "checkpoint.pt", checkpoint(WEIGHTS, args=namespace(**arguments))))
    assert found.model == found.task == arguments
    assert found.architecture == "hubert"


def test_of_a_fine_tuned_model_the_encoder_counts(tmp_path: Path):
    outer = {"_name": "wav2vec_ctc", "dropout": 0.0, "w2v_args": cfg()}
    found = read_fairseq(write(tmp_path / "new.pt", checkpoint(WEIGHTS, cfg=omegaconf({"model": outer, "task": {}}))))
    assert found.architecture == "wav2vec_ctc"
    assert (found.model["dropout"], found.task["label_rate"]) == (0.1, 50)
    inner = namespace(**PLAIN, normalize=True)
    arguments = namespace(arch="wav2vec_ctc", dropout=0.0, w2v_args=inner)
    found = read_fairseq(write(tmp_path / "old.pt", checkpoint(WEIGHTS, args=arguments)))
    assert found.architecture == "wav2vec_ctc"
    assert (found.model["dropout"], found.task["normalize"]) == (0.1, True)


def test_the_arguments_around_an_encoder_are_kept_aside(tmp_path: Path):
    outer = {"_name": "wav2vec_ctc", "dropout": 0.7, "w2v_args": cfg()}
    for name, file in (("cfg", {"cfg": omegaconf({"model": outer})}), ("args", {"args": namespace(**outer)})):
        found = read_fairseq(write(tmp_path / f"{name}.pt", checkpoint(WEIGHTS, **file)))
        assert found.fine_tuning["dropout"] == 0.7
        assert found.model["dropout"] == 0.1
    assert read_fairseq(write(tmp_path / "c.pt", checkpoint(WEIGHTS, cfg=omegaconf(cfg())))).fine_tuning == {}


def test_dictionaries_of_the_task_are_read(tmp_path: Path):
    first, second, third = (["<s>", "<pad>", "</s>", "<unk>", *symbols] for symbols in ("ab", "01", "xyz"))
    state = {
        "text_dictionary": dictionary(first),
        "dictionaries": [dictionary(second), dictionary(third)],
        "target_dictionary": None,
        "broken": with_fields(Dictionary(), symbols=[1, 2]),
        "other": namespace(symbols=["a"]),
        "empty": [],
        7: dictionary(first),
    }
    found = read_fairseq(write(tmp_path / "checkpoint.pt", checkpoint(WEIGHTS, task_state=state)))
    wanted = {"text_dictionary": first, "dictionaries.0": second, "dictionaries.1": third}
    assert found.dictionaries == {name: tuple(symbols) for name, symbols in wanted.items()}
    assert read_fairseq(write(tmp_path / "bare.pt", {"model": WEIGHTS})).dictionaries == {}


def test_configurations_of_the_family_are_inert(tmp_path: Path):
    given = {"model": with_fields(SpeechlmConfig(), text_transformer=with_fields(SpeechutConfig(), dropout=0.5))}
    found = read_fairseq(write(tmp_path / "checkpoint.pt", checkpoint(WEIGHTS, cfg=given)))
    assert found.model == {"text_transformer": {"dropout": 0.5}}


def test_half_precision_becomes_single(tmp_path: Path):
    weights = {"a": torch.tensor([0.5, 3.0]).half(), "b": torch.tensor([1.5]).bfloat16(), "n": torch.tensor(3)}
    found = read_fairseq(write(tmp_path / "checkpoint.pt", checkpoint(weights))).weights
    assert [tensor.dtype for tensor in found.values()] == [torch.float32, torch.float32, torch.int64]
    assert found["a"].tolist() == [0.5, 3.0]


def test_a_file_may_say_nothing(tmp_path: Path):
    found = read_fairseq(write(tmp_path / "checkpoint.pt", {"model": WEIGHTS}))
    assert (found.architecture, found.model, found.task, found.has_arguments) == (None, {}, {}, False)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ([1, 2], "list"),
        ({"state_dict": WEIGHTS, "epoch": 3}, "dict of state_dict, epoch"),
        ({"model": {}}, "dict of model"),
        ({"model": {"a": [1.0]}}, "dict of model"),
        ({"model": {3: torch.ones(1)}}, "dict of model"),
        ({"model": {"\x1b[2J": torch.ones(1)}, "\x1b[2J": 1}, r"dict of model\)"),
        (torch.ones(3), "StoredTensor"),
    ],
    ids=["list", "other", "empty", "lists", "numbers", "controls", "tensor"],
)
def test_other_content_is_refused_with_what_was_found(content: Any, told: str, tmp_path: Path):
    with pytest.raises(CheckpointError, match=rf"not a checkpoint of fairseq.*given: {told}"):
        read_fairseq(write(tmp_path / "checkpoint.pt", content))


@pytest.mark.parametrize("place", ["cfg", "args", "task_state", "model"])
def test_nothing_is_executed(place: str, tmp_path: Path):
    marker = tmp_path / "marker"
    content = checkpoint(WEIGHTS, cfg=cfg())
    content[place] = {"deep": [Trap(f"touch {marker}")]}
    path = write(tmp_path / "trap.pt", content)
    with foreign_modules():
        torch.load(path, weights_only=False)
    assert marker.exists(), "the payload does no harm, so the test would show nothing"
    marker.unlink()
    with pytest.raises(CheckpointError, match=r"names 'posix\.system'"):
        read_fairseq(path)
    assert not marker.exists()


class Lookup:
    """``getattr(owner, name)``, called with arguments."""

    def __init__(self, *parts: Any) -> None:
        self.parts = parts

    def __reduce__(self) -> tuple[Any, ...]:
        return getattr, self.parts


def test_lookups_of_fairseq_stay_names_and_others_are_refused(tmp_path: Path):
    """Python 3.11 pickles members of enumerations as calls of getattr."""
    given = cfg()
    given["model"]["layer_type"] = Lookup(LayerKind, "TRANSFORMER")
    found = read_fairseq(write(tmp_path / "checkpoint.pt", checkpoint(WEIGHTS, cfg=given)))
    assert found.model["layer_type"] == "TRANSFORMER"
    for owner in (dict, sys.intern("text"), Lookup(dict, "fromkeys")):
        given["model"]["layer_type"] = Lookup(owner, "upper" if owner == "text" else "get")
        with pytest.raises(CheckpointError, match=r"wants to look something up|names"):
            read_fairseq(write(tmp_path / "checkpoint.pt", checkpoint(WEIGHTS, cfg=given)))


def test_configurations_that_never_end_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(fairseq, "MOST_VALUES", 5000)
    endless = cfg()
    endless["model"]["again"] = endless
    wide: list[Any] = []
    for _ in range(25):
        wide = [wide, wide]  # two to the power of 25 values
    deep: list[Any] = []
    for _ in range(fairseq.DEEPEST):
        deep = [deep]
    for given in (endless, {"model": {"wide": wide}}, {"model": {"deep": deep}}):
        with pytest.raises(CheckpointError, match="deeper or larger than any"):
            read_fairseq(write(tmp_path / "checkpoint.pt", checkpoint(WEIGHTS, cfg=given)))


@pytest.mark.parametrize(
    "reference", ["${task}", "${task.none}", "${}", "${a.b.c}", "${model.label_rate}", "${task.x}", "${}${}"]
)
def test_references_that_lead_nowhere_are_nothing(reference: str, tmp_path: Path):
    given = {"model": {"label_rate": reference}, "task": {"x": "${model.label_rate}"}}
    found = read_fairseq(write(tmp_path / "checkpoint.pt", checkpoint(WEIGHTS, cfg=given)))
    assert found.model["label_rate"] is None


def test_the_classes_here_are_not_there_when_reading(tmp_path: Path):
    """The files of these tests cannot be loaded by what this environment has."""
    assert not {name.partition(".")[0] for name in sys.modules} & {"fairseq", "omegaconf"}
    path = write(tmp_path / "checkpoint.pt", checkpoint(WEIGHTS, cfg=omegaconf(cfg())))
    with pytest.raises((ModuleNotFoundError, pickle.UnpicklingError)):
        torch.load(path, weights_only=False)
    assert isinstance(LayerKind.TRANSFORMER, enum.Enum)
    assert DictConfig.__module__ == "omegaconf.dictconfig"
    assert read_fairseq(path).model == PLAIN
