"""Checkpoints as fairseq writes them, made without it: classes of the same names, and the same layout of values."""

import argparse
import enum
import sys
import types
import typing
from collections import OrderedDict, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor


def foreign_class(module: str, name: str, base: type = object) -> Any:
    """An empty class that pickles under a foreign name."""
    return type(name, (base,), {"__module__": module, "__qualname__": name})


DictConfig = foreign_class("omegaconf.dictconfig", "DictConfig")
ListConfig = foreign_class("omegaconf.listconfig", "ListConfig")
AnyNode = foreign_class("omegaconf.nodes", "AnyNode")
EnumNode = foreign_class("omegaconf.nodes", "EnumNode")
Metadata = foreign_class("omegaconf.base", "Metadata")
ContainerMetadata = foreign_class("omegaconf.base", "ContainerMetadata")
HubertPretrainingConfig = foreign_class("fairseq.tasks.hubert_pretraining", "HubertPretrainingConfig")
Dictionary = foreign_class("fairseq.data.dictionary", "Dictionary")
SpeechlmConfig = foreign_class("speechlm.models.speechlm", "SpeechlmConfig")
SpeechutConfig = foreign_class("speechut.models.speechut", "SpeechutConfig")


class LayerKind(enum.Enum):
    """As fairseq's choices are."""

    TRANSFORMER = "transformer"


LayerKind.__module__, LayerKind.__qualname__ = "fairseq.dataclass.constants", "LayerKind"
CLASSES = (
    DictConfig, ListConfig, AnyNode, EnumNode, Metadata, ContainerMetadata, HubertPretrainingConfig, Dictionary,
    LayerKind, SpeechlmConfig, SpeechutConfig,
)  # fmt: skip


@contextmanager
def foreign_modules() -> Iterator[None]:
    """The modules that those classes claim to be from, for as long as pickle wants to see them."""
    made = []
    for kind in CLASSES:
        parts = kind.__module__.split(".")
        for name in (".".join(parts[: count + 1]) for count in range(len(parts))):
            if name not in sys.modules:
                sys.modules[name] = types.ModuleType(name)
                made.append(name)
        setattr(sys.modules[kind.__module__], kind.__name__, kind)
    try:
        yield
    finally:
        for name in made:
            del sys.modules[name]


def with_fields(instance: Any, **fields: Any) -> Any:
    instance.__dict__.update(fields)
    return instance


def omegaconf(value: Any, parent: Any = None, key: str | None = None) -> Any:
    """Plain values as OmegaConf 2.1 keeps them: nodes in containers, with metadata and a way up."""
    common = {"optional": True, "key": key, "flags": {}, "flags_root": False, "resolver_cache": defaultdict(dict)}
    if isinstance(value, dict | list):
        node = DictConfig() if isinstance(value, dict) else ListConfig()
        about = with_fields(
            ContainerMetadata(),
            ref_type=typing.Optional[dict],  # noqa: UP045  (older files have this form)
            object_type=type(value),
            key_type=typing.Any,
            element_type=typing.Any,
            **common,
        )
        items = value.items() if isinstance(value, dict) else enumerate(value)
        inner = {name: omegaconf(part, node, str(name)) for name, part in items}
        content = inner if isinstance(value, dict) else list(inner.values())
        return with_fields(node, _metadata=about, _parent=parent, _flags_cache=None, _content=content)
    about = with_fields(Metadata(), ref_type=typing.Any, object_type=None, **common)
    node = EnumNode() if isinstance(value, enum.Enum) else AnyNode()
    return with_fields(node, _metadata=about, _parent=parent, _flags_cache=None, _val=value)


def hubert_arguments(**changes: Any) -> dict[str, Any]:
    """Arguments of the tiny HuBERT of `hubert_config`, by fairseq's names."""
    arguments = {
        "_name": "hubert",
        "label_rate": "${task.label_rate}",
        "extractor_mode": "default",
        "encoder_layers": 2,
        "encoder_embed_dim": 32,
        "encoder_ffn_embed_dim": 64,
        "encoder_attention_heads": 2,
        "activation_fn": "gelu",
        "layer_type": LayerKind.TRANSFORMER,
        "dropout": 0.1,
        "attention_dropout": 0.1,
        "activation_dropout": 0.0,
        "encoder_layerdrop": 0.05,
        "dropout_input": 0.1,
        "dropout_features": 0.1,
        "final_dim": 16,
        "untie_final_proj": True,
        "layer_norm_first": False,
        "conv_feature_layers": "[(16,10,5)] + [(16,3,2)] * 4 + [(16,2,2)] * 2",
        "conv_bias": False,
        "logit_temp": 0.1,
        "target_glu": False,
        "feature_grad_mult": 0.1,
        "conv_pos": 16,
        "conv_pos_groups": 4,
        "latent_temp": (2, 0.5, 0.999995),
    }
    return arguments | changes


def task_arguments(**changes: Any) -> dict[str, Any]:
    return {"_name": "hubert_pretraining", "label_rate": 50, "sample_rate": 16000, "normalize": False} | changes


def dictionary(symbols: Sequence[str]) -> Any:
    """As a task keeps its own."""
    places = {symbol: place for place, symbol in enumerate(symbols)}
    return with_fields(Dictionary(), symbols=list(symbols), count=[1] * len(symbols), indices=places)


def checkpoint(
    weights: Mapping[str, Tensor], cfg: Any = None, args: Any = None, task_state: dict[str, Any] | None = None
) -> dict[str, Any]:
    """All that stands in a checkpoint, with the state of an optimizer and dictionaries of the task."""
    return {
        "args": args,
        "cfg": cfg,
        "model": OrderedDict(weights),
        "criterion": OrderedDict(),
        "optimizer_history": [{"criterion_name": "HubertCriterion", "num_updates": 7, "optimizer_name": "FairseqAdam"}],
        "task_state": {"dictionaries": [dictionary(["<s>", "<pad>", "0"])]} if task_state is None else task_state,
        "extra_state": {"epoch": 1, "train_iterator": {"shuffle": True}, "val_loss": 3.5},
        "last_optimizer_state": {"state": {0: {"step": 7, "exp_avg": torch.zeros(3)}}, "param_groups": [{"lr": 1e-4}]},
    }


def write(path: Path, content: Any, *, new: bool = True) -> Path:
    """Write as fairseq does; files before torch 1.6 had another layout."""
    with foreign_modules():
        torch.save(content, path, _use_new_zipfile_serialization=new)
    return path


def namespace(**arguments: Any) -> argparse.Namespace:
    return argparse.Namespace(**arguments)
