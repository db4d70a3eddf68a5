"""Checkpoints that fairseq has written: weights, and the configuration as plain values."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from sprachbund.checkpoints.unpickler import StoredTensor, read_torch_file
from sprachbund.errors import CheckpointError
from sprachbund.pickles import Name, PickleRefusedError, Stub
from sprachbund.shapes import Tensor

_TYPES = (bool, bytes, dict, float, int, list, set, str, tuple, type)
# What stands in such a file beside tensors and containers: configurations, dictionaries and counters, all inert here.
_INERT = (
    "argparse.Namespace", "omegaconf.", "fairseq.", "speecht5.", "speechlm.", "speechut.", "typing.", "torch.device",
    "torch.float16", "torch.float32", "numpy.dtype", "numpy.ndarray", "numpy.core.multiarray.scalar",
    "numpy._core.multiarray.scalar", "_codecs.encode", *(f"builtins.{kind.__name__}" for kind in _TYPES),
)  # fmt: skip
_DICTIONARY = "fairseq.data.dictionary.Dictionary"
_OWNERS = ("omegaconf.", "fairseq.", "speecht5.", "speechlm.", "speechut.", "typing.")
MOST_VALUES = 100_000  # of a configuration; a few texts that hold each other may stand for more than any memory
DEEPEST = 30
MOST_REFERENCES = 5  # one behind the other


@dataclass(frozen=True)
class FairseqCheckpoint:
    """What a checkpoint of fairseq holds. Of one that was fine-tuned, the arguments are those of its encoder."""

    path: Path
    architecture: str | None  # by fairseq's name, such as "hubert" or "wav2vec_ctc"
    model: Mapping[str, Any]  # arguments of the model
    task: Mapping[str, Any]  # arguments of the task
    has_arguments: bool  # whether the file says any
    weights: Mapping[str, Tensor]  # single precision, whatever the file has
    fine_tuning: Mapping[str, Any] = field(default_factory=dict)  # arguments of the model around that encoder, if any
    dictionaries: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # symbols the task kept, by its names


def read_fairseq(path: Path) -> FairseqCheckpoint:
    """Read a checkpoint; nothing in it is executed.

    Raises:
        CheckpointError: the file is missing, damaged, no checkpoint of fairseq, or names what would have to be run.
    """
    makers = dict.fromkeys(("builtins.getattr", "operator.getitem", "_operator.getitem"), _member)
    file = read_torch_file(path, inert=_INERT, makers=makers)
    content = file.content if isinstance(file.content, dict) else {}
    stored = content.get("model")
    if not isinstance(stored, dict) or not stored or not all(_is_weight(*item) for item in stored.items()):
        raise CheckpointError(
            "this is not a checkpoint of fairseq",
            where=path,
            given=_describe(file.content),
            mend="Wanted is a file with 'model' and 'cfg' or 'args', as fairseq writes it.",
        )
    try:
        arguments = _arguments(content)
    except PickleRefusedError as error:
        raise CheckpointError("the configuration in this checkpoint cannot be used", where=path, given=error) from None
    weights = {name: _to_single(tensor) for name, tensor in file.tensors(stored).items()}
    outer = _mapping(arguments.get("model"), arguments)
    return FairseqCheckpoint(
        path,
        *_parts(arguments),
        bool(arguments),
        weights,
        fine_tuning=outer if isinstance(outer.get("w2v_args"), dict) else {},
        dictionaries=_dictionaries(content.get("task_state")),
    )


def _describe(content: Any) -> str:
    keys = (
        [key[:40] for key in content if isinstance(key, str) and key.isprintable()] if isinstance(content, dict) else []
    )
    return f"{type(content).__name__} of {', '.join(keys[:8])}" if keys else type(content).__name__


def _is_weight(name: Any, value: Any) -> bool:
    # Names are printed; others could tell the terminal what to do.
    return isinstance(name, str) and name.isprintable() and isinstance(value, StoredTensor)


def _to_single(tensor: Tensor) -> Tensor:
    return tensor.to(torch.float32) if tensor.is_floating_point() else tensor


def _member(owner: Any, member: Any) -> Name:
    """Members of enumerations and types such as ``List[str]`` are pickled as calls; they stay names."""
    if not isinstance(owner, Name) or not owner.text.startswith(_OWNERS):
        raise PickleRefusedError("it wants to look something up")
    return Name(f"{owner.text}.{member}") if isinstance(member, str) and member.isidentifier() else owner


def _arguments(content: Mapping[Any, Any]) -> dict[str, Any]:
    """``cfg``, or ``args`` where it is empty, as plain values; ``${task.label_rate}`` and the like are followed."""
    for name in ("cfg", "args"):
        plain = _Plainer().plain(content.get(name))
        if isinstance(plain, dict) and plain:
            return {key: _follow(value, plain) for key, value in plain.items()}
    return {}


def _parts(arguments: Mapping[str, Any]) -> tuple[str | None, dict[str, Any], dict[str, Any]]:
    """Architecture, arguments of the model, arguments of the task; older files have all of them in one."""
    model, task = (_mapping(arguments.get(name), arguments) for name in ("model", "task"))
    architecture = next((name for name in (model.get("_name"), model.get("arch")) if isinstance(name, str)), None)
    inner = model.get("w2v_args")
    if isinstance(inner, dict):
        # A fine-tuned model says of its encoder what that was pre-trained with.
        _, encoder, encoder_task = _parts(inner)
        return architecture, encoder, encoder_task
    return architecture, model, task


def _dictionaries(state: Any) -> dict[str, tuple[str, ...]]:
    """The dictionaries in the state of a task; those in a list are numbered."""
    found: dict[str, tuple[str, ...]] = {}
    for name, value in state.items() if isinstance(state, dict) else ():
        parts = {f"{name}.{number}": part for number, part in enumerate(value)} if isinstance(value, list) else {}
        for place, part in (parts or {name: value}).items():
            fields = part.state if isinstance(part, Stub) and part.name == _DICTIONARY else None
            symbols = fields.get("symbols") if isinstance(fields, dict) else None
            if isinstance(place, str) and isinstance(symbols, list) and all(isinstance(one, str) for one in symbols):
                found[place] = tuple(symbols)
    return found


def _mapping(value: Any, otherwise: Mapping[str, Any]) -> dict[str, Any]:
    return value if isinstance(value, dict) else dict(otherwise)


class _Plainer:
    """Stubs of configurations -> plain values."""

    def __init__(self) -> None:
        self.num_values = 0

    def plain(self, value: Any, depth: int = 0) -> Any:
        """Plain values; None for what is none.

        Raises:
            PickleRefusedError: values that hold themselves, or that are too many.
        """
        self.num_values += 1
        if self.num_values > MOST_VALUES or depth > DEEPEST:
            raise PickleRefusedError("its configuration is deeper or larger than any")
        if isinstance(value, Stub):
            return self.plain(_content(value), depth + 1)
        if isinstance(value, Mapping):
            return {key: self.plain(inner, depth + 1) for key, inner in value.items() if isinstance(key, str)}
        if isinstance(value, list | tuple):
            return [self.plain(inner, depth + 1) for inner in value]
        if isinstance(value, Name):
            return value.text.rpartition(".")[2]
        return value if isinstance(value, str | int | float | bool) else None


def _content(stub: Stub) -> Any:
    """What a stub stands for: the content of containers and nodes, the fields of dataclasses, the value of an enum."""
    state = stub.state if isinstance(stub.state, dict) else {}
    for name in ("_content", "_val"):
        if stub.name.startswith("omegaconf.") and name in state:
            return state[name]
    if state:
        return state
    return stub.arguments[0] if len(stub.arguments) == 1 else None


def _follow(value: Any, root: Mapping[str, Any]) -> Any:
    """Values with references to others replaced by these; what cannot be found becomes None."""
    if isinstance(value, dict):
        return {key: _follow(inner, root) for key, inner in value.items()}
    for _ in range(MOST_REFERENCES):
        if not isinstance(value, str) or not (value.startswith("${") and value.endswith("}")):
            return value
        path, value = value[2:-1].split("."), root
        for part in path:
            value = value.get(part) if isinstance(value, Mapping) else None
        value = None if isinstance(value, Mapping) else value
    return None
