"""Training checkpoints: archives and pickles that are damaged, that lie, or that want to be executed."""

import io
import pickle
import random
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

import tiny
from fuzz.kind import Kind, each, pick
from fuzz.mutations import damage_bytes, damage_json
from sprachbund.cli.info import describe
from sprachbund.errors import CheckpointError
from sprachbund.training.checkpointing import damage, newest_sound_checkpoint, read_checkpoint

NAME = "step-00000003.ckpt"
# Pickles of protocol 0 to 4 that call something, or that are no pickles.
PICKLES = (
    b"cos\nsystem\n(S'touch executed'\ntR.",
    b"csubprocess\nPopen\n((lS'touch'\naS'executed'\natR.",
    b"cbuiltins\neval\n(S'1'\ntR.",
    b'cbuiltins\nexec\n(S\'open("executed","w")\'\ntR.',
    b"cposix\nsystem\n(S'touch executed'\ntR.",
    b"c__main__\nx\n.",
    b"cbuiltins\ngetattr\n(cos\nS'system'\ntR(S'touch executed'\ntR.",
    b"ctorch\nload\n(S'executed'\ntR.",
    b"ctorch.hub\nload\n.",
    b"ctorch.serialization\nload\n(S'x'\ntR.",
    b"cnumpy\nload\n(S'x'\ntR.",
    b"cbuiltins\nbytearray\n(I99999999999999\ntR.",
    b"ccollections\nOrderedDict\n(I1\ntR.",
    b"ctorch._utils\n_rebuild_tensor_v2\n(tR.",
    b"(lp0\ng0\na.",
    b"\x80\x04\x95\xff\xff\xff\xff\xff\xff\xff\x7f.",
    b"\x80\x02]q\x00h\x00a.",
    b"I" + b"9" * 100_000 + b"\n.",
    b"(" * 100_000,
    b"]" * 100_000 + b"a" * 99_999 + b".",
    b"\x80\x02.",
    b"\x80\x02X\xff\xff\xff\x7f.",
    b"\x80\x04\x8d\xff\xff\xff\xff\xff\xff\xff\x0f.",
    b"S'\\xff'\n.",
    b"N.",
    b"K\x01.",
    b"",
    b".",
)


def state() -> dict[str, Any]:
    """What a run leaves, in small."""
    model = torch.nn.Linear(3, 2)
    optimizer = torch.optim.AdamW(model.parameters())
    model(torch.ones(1, 3)).sum().backward()
    optimizer.step()
    return {
        "epoch": 0,
        "global_step": 3,
        "pytorch-lightning_version": "2.5.0",
        "state_dict": model.state_dict(),
        "optimizer_states": [optimizer.state_dict()],
        "TrainingData": {"cursors": {"speech": (0, 2), "text": (1, 3)}},
        "loops": {"fit_loop": {"state_dict": {}, "epoch_progress": {"total": {"ready": 1}}}},
        "generator": torch.get_rng_state(),
    }


def prepare(folder: Path) -> None:
    torch.save(state(), folder / NAME)
    torch.save(tiny.Trap("touch executed"), folder / "trap.ckpt")
    torch.save({"state_dict": {"a": tiny.Trap("touch executed")}}, folder / "inner.ckpt")


def make(originals: Path, folder: Path, choice: random.Random, number: int) -> Path:
    path = folder / "checkpoints" / NAME
    path.parent.mkdir()
    content = (originals / NAME).read_bytes()
    kind = choice.random()
    if 0 <= number < len(PICKLES):
        path.write_bytes(rewritten(content, {"data.pkl": lambda _: PICKLES[number]}))
    elif kind < 0.1:
        path.write_bytes(damage_bytes(content, choice, other=(originals / "trap.ckpt").read_bytes()))
    elif kind < 0.15:
        path.write_bytes((originals / pick(choice, ("trap.ckpt", "inner.ckpt"))).read_bytes())
    elif kind < 0.2:
        path.write_bytes(pick(choice, (*PICKLES, pickle.dumps(tiny.Trap("touch executed")))))
    elif kind < 0.55:
        save_damaged(path, choice)
    else:
        # Whole archives with right sums, so that the damage is met by torch.
        part = pick(choice, ("data.pkl", "data.pkl", "data/0", "data/1", "byteorder", "version", ".format_version"))
        changes = {part: lambda old: damage_bytes(old, choice, other=pick(choice, PICKLES))}
        path.write_bytes(rewritten(content, changes, compress=choice.random() < 0.1, drop=choice.random() < 0.05))
    return path


def save_damaged(path: Path, choice: random.Random) -> None:
    """A sound archive whose plain values are others."""
    saved = state()
    plain = {"epoch": 0, "global_step": 3, "TrainingData": {"cursors": {"speech": [0, 2]}}, "loops": saved["loops"]}
    changed = damage_json(plain, choice)
    torch.save({**saved, **changed} if isinstance(changed, dict) and choice.random() < 0.8 else changed, path)


def rewritten(
    content: bytes, changes: dict[str, Callable[[bytes], bytes]], *, compress: bool = False, drop: bool = False
) -> bytes:
    """The archive with some of its parts changed, and with the sums of what it holds then."""
    written = io.BytesIO()
    kind = zipfile.ZIP_DEFLATED if compress else zipfile.ZIP_STORED
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(written, "w", kind) as new:
        for name in old.namelist():
            change = changes.get(name.partition("/")[2])
            if change is None or not drop:
                new.writestr(name, change(old.read(name)) if change else old.read(name))
        if compress:
            new.writestr("archive/data/9", bytes(1 << 24))
    return written.getvalue()


def use(path: Path) -> None:
    each(lambda: check(path), lambda: describe(path), lambda: describe(path.parent.parent))


def check(path: Path) -> None:
    told: list[str] = []
    newest = newest_sound_checkpoint(path.parent, told.append)
    assert (newest is None) == bool(told)
    assert damage(path) is None or newest is None
    try:
        read_checkpoint(path)
    except CheckpointError:
        assert newest is None
        raise


CHECKPOINTS = Kind(700, prepare, make, use)
