"""Fully sharded data parallelism (Zhao et al. 2023) on torch's `fully_shard`, as a strategy of Lightning's Trainer.

Each Transformer layer is a unit that is gathered when it is computed; everything else is one unit that stays gathered
from the forward to the backward pass of a micro-batch. Parameters, gradients and the optimizer's moments are held in
parts. Checkpoints hold whole tensors, so one of any number of processes goes on with any other.

Lightning's own FSDP strategies refuse CPUs or write the optimizer's state in a form that only they read.
"""

from typing import Any, cast

import torch
from lightning.pytorch.strategies import DDPStrategy
from torch import nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard, register_fsdp_forward_method
from torch.distributed.tensor import DTensor, distribute_tensor
from torch.nn.utils import clip_grads_with_norm_, get_total_norm
from torch.optim import Optimizer

from sprachbund.errors import RecipeError
from sprachbund.nn.causal import CausalLayer, CausalStack
from sprachbund.nn.decoder import DecoderLayer, DecoderStack
from sprachbund.nn.transformer import EncoderLayer, EncoderStack
from sprachbund.shapes import Tensor


class ShardedStrategy(DDPStrategy):
    """Sets processes up as DDP does, and shards the module instead of copying it."""

    def configure_ddp(self) -> None:
        """Shard the module that is to be trained."""
        module = self.lightning_module
        assert module is not None
        shard(module, self.root_device)

    def lightning_module_state_dict(self) -> dict[str, Any]:
        """Whole tensors in the first process, which writes them; every process must ask."""
        assert self.lightning_module is not None
        return whole_tensors(self.lightning_module.state_dict(), keep=self.is_global_zero)

    def optimizer_state(self, optimizer: Optimizer) -> dict[str, Any]:
        """The same of the optimizer."""
        state: dict[str, Any] = super().optimizer_state(optimizer)
        entries = {number: whole_tensors(entry, keep=self.is_global_zero) for number, entry in state["state"].items()}
        return {**state, "state": entries}

    def load_optimizer_state_dict(self, checkpoint: Any) -> None:
        """Take this process's part of the whole tensors of a checkpoint."""
        super().load_optimizer_state_dict(checkpoint)
        for optimizer in self.optimizers:
            for parameter, entry in optimizer.state.items():
                if isinstance(parameter, DTensor):
                    entry.update({name: _part_like(value, parameter) for name, value in entry.items()})


def check_shardable(module: nn.Module) -> None:
    """Refuse a model whose processes would not compute the same layers, as each of them waits for all the others.

    Raises:
        RecipeError: layers are dropped at random.
    """
    rates = [part.layerdrop for part in module.modules() if isinstance(part, EncoderStack | DecoderStack | CausalStack)]
    if any(rates):
        raise RecipeError(
            "layers of a model in parts cannot be dropped: each micro-batch drops its own",
            given=f"layerdrop: {max(rates)}, run.strategy: fsdp",
            mend="Set layerdrop: 0 in model.changes.encoder and .decoder, or run.strategy: ddp.",
        )


def shard(module: nn.Module, device: torch.device) -> None:
    """Spread a module over all processes: each Transformer layer, and the rest."""
    mesh = init_device_mesh(device.type, (torch.distributed.get_world_size(),))
    for layer in list(module.modules()):
        if isinstance(layer, EncoderLayer | DecoderLayer | CausalLayer):
            fully_shard(layer, mesh=mesh)
        if isinstance(layer, DecoderLayer):
            register_fsdp_forward_method(layer, "project_memory")
    scalars = {parameter for parameter in module.parameters() if parameter.dim() == 0}
    fully_shard(module, mesh=mesh, ignored_params=scalars)


def exchange_scalar_gradients(module: nn.Module) -> None:
    """Average over the processes what cannot be cut into parts: gradients of the scalars of a sharded module."""
    gradients = [
        parameter.grad
        for parameter in module.parameters()
        if parameter.grad is not None and not isinstance(parameter, DTensor)
    ]
    if gradients and is_sharded(module):
        flat = torch.stack(gradients)
        torch.distributed.all_reduce(flat)
        for gradient, value in zip(gradients, flat / torch.distributed.get_world_size(), strict=True):
            gradient.copy_(value)


def clip_gradients(module: nn.Module, limit: float) -> Tensor:
    """Scale gradients so that their norm, all parts of all processes together, is `limit` at most; the norm before."""
    learning = [parameter for parameter in module.parameters() if parameter.grad is not None]
    parts = [parameter for parameter in learning if isinstance(parameter, DTensor)]
    groups = [group for group in (parts, [one for one in learning if not isinstance(one, DTensor)]) if group]
    norms = [whole(get_total_norm([cast(Tensor, one.grad) for one in group])) for group in groups]
    norm = norms[0] if len(norms) == 1 else torch.linalg.vector_norm(torch.stack(norms))
    for group in groups:
        clip_grads_with_norm_(group, limit, norm)
    return norm


def whole_tensors(state: dict[str, Any], *, keep: bool = True) -> dict[str, Any]:
    """The entries of a state with sharded tensors gathered, in the memory of the machine; without `keep` empty ones.

    Every process must call this, as gathering wants them all.
    """
    return {name: _whole(value, keep) if isinstance(value, DTensor) else value for name, value in state.items()}


def is_sharded(module: nn.Module) -> bool:
    """Whether the parameters of a module lie in parts."""
    return any(isinstance(parameter, DTensor) for parameter in module.parameters())


def whole(tensor: Tensor) -> Tensor:
    """A tensor with its parts gathered; one that is not sharded as it is."""
    return tensor.full_tensor() if isinstance(tensor, DTensor) else tensor


def _whole(tensor: DTensor, keep: bool) -> Tensor:
    gathered = whole(tensor.detach())
    return gathered.cpu() if keep else gathered.new_empty(0)


def _part_like(value: Any, parameter: DTensor) -> Any:
    if not isinstance(value, torch.Tensor) or isinstance(value, DTensor):
        return value
    # Every process has read the whole, so none has to send.
    return distribute_tensor(value, parameter.device_mesh, parameter.placements, src_data_rank=None)
