"""Training in real processes: forked from a server that has imported all it takes, they begin within half a second."""

import multiprocessing
import os
import resource
import signal
import socket
from collections.abc import Mapping
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import torch

from sprachbund.cli.main import main
from sprachbund.config import dump_yaml
from sprachbund.training.checkpointing import list_checkpoints, read_checkpoint
from sprachbund.training.interruption import Interruption

CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(
    [
        "sprachbund.training.run",
        "sprachbund.cli.finetune",
        "sprachbund.cli.pretrain",
        "sprachbund.cli.tokens",
        "training.processes",
    ]
)


def write_recipe(path: Path, recipe: Mapping[str, Any]) -> Path:
    path.write_text(dump_yaml(recipe), "utf-8")
    return path


def start(log: Path, *arguments: object, environment: Mapping[str, str] | None = None, room: int = 0) -> BaseProcess:
    """``sprachbund ARGUMENTS``, what it says in `log`; files may grow to `room` bytes where it is given."""
    words = [str(argument) for argument in arguments]
    process = CONTEXT.Process(target=_run, args=(str(log), words, dict(environment or {}), room))
    process.start()
    return process


def run(log: Path, *arguments: object, environment: Mapping[str, str] | None = None, room: int = 0) -> int:
    """The same to its end: the exit code."""
    process = start(log, *arguments, environment=environment, room=room)
    process.join(120)
    assert process.exitcode is not None, log.read_text()
    return process.exitcode


def terminate_twice(log: Path) -> BaseProcess:
    """A process that watches for signals and sends itself SIGTERM twice; it says which it has outlived."""
    process = CONTEXT.Process(target=_terminate_twice, args=(str(log),))
    process.start()
    process.join(60)
    return process


def _terminate_twice(log: str) -> None:
    Interruption().watch()
    for word in ("once", "twice"):
        os.kill(os.getpid(), signal.SIGTERM)
        with Path(log).open("a") as handle:
            handle.write(word)


def start_together(folder: Path, count: int, *arguments: object) -> list[BaseProcess]:
    """As torchrun starts them; what they say is in ``log-RANK``."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    shared = {"TORCHELASTIC_RUN_ID": "test", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    shared |= {"WORLD_SIZE": str(count), "LOCAL_WORLD_SIZE": str(count)}
    return [
        start(folder / f"log-{rank}", *arguments, environment={**shared, "RANK": str(rank), "LOCAL_RANK": str(rank)})
        for rank in range(count)
    ]


def run_together(folder: Path, count: int, *arguments: object) -> list[int]:
    """The same to their end: the exit codes."""
    return codes_of(start_together(folder, count, *arguments))


def codes_of(processes: list[BaseProcess]) -> list[int]:
    """Exit codes; -1 for a process that did not end in time."""
    for process in processes:
        process.join(120)
        if process.exitcode is None:
            process.kill()
    return [-1 if process.exitcode is None else process.exitcode for process in processes]


def _run(log: str, arguments: list[str], environment: dict[str, str], room: int) -> None:
    file = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    for stream in (1, 2):
        os.dup2(file, stream)
    os.environ.update(environment)
    os.environ["COLUMNS"] = "400"
    if room:
        resource.setrlimit(resource.RLIMIT_FSIZE, (room, resource.RLIM_INFINITY))
    main(arguments)


def state(folder: Path) -> dict[str, Any]:
    """All that the newest checkpoint of a run holds."""
    return read_checkpoint(list_checkpoints(folder / "checkpoints")[0])


def farthest(one: Any, other: Any) -> float:
    """The largest difference of two states in any tensor; 0.0 where all bits are equal. Other values must be equal."""
    if isinstance(one, torch.Tensor):
        if torch.equal(one, other):
            return 0.0
        return float((one.double() - other.double()).abs().max())
    if isinstance(one, dict):
        assert one.keys() == other.keys()
        return max((farthest(one[key], other[key]) for key in one), default=0.0)
    if isinstance(one, list | tuple):
        assert len(one) == len(other)
        return max((farthest(*pair) for pair in zip(one, other, strict=True)), default=0.0)
    assert one == other
    return 0.0


def trained(folder: Path) -> dict[str, Any]:
    """Weights, buffers, the optimizer's moments and the places in the data after the last step."""
    content = state(folder)
    return {name: content[name] for name in ("state_dict", "optimizer_states", "TrainingData", "global_step")}
