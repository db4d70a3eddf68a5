"""``sprachbund info PATH``."""

from pathlib import Path
from typing import Annotated, Any

import typer

from sprachbund.errors import CheckpointError

app = typer.Typer(add_completion=False)


@app.command()
def info(
    path: Annotated[
        Path, typer.Argument(help="A model folder, run, checkpoint, manifest, n-gram model, recording ...")
    ],
) -> None:
    """Say what a model folder, run, checkpoint, manifest, line store, n-gram model or recording is."""
    for name, value in describe(path).items():
        typer.echo(f"{name:<14}{value}")


def describe(path: Path) -> dict[str, Any]:
    """Facts about `path` by name.

    Raises:
        SprachbundError: it is missing or damaged.
    """
    if (path / "checkpoints").is_dir() or (path / "metrics.jsonl").is_file():
        return _describe_run(path)
    if (path / "store.json").is_file():
        return _describe_store(path)
    if (path / "ngram.json").is_file() or path.name.endswith((".arpa", ".arpa.gz")):
        return _describe_ngram(path)
    if path.is_dir():
        return _describe_model(path)
    if path.suffix == ".ckpt":
        return _describe_checkpoint(path)
    if path.name.endswith((".jsonl", ".jsonl.gz")):
        return _describe_manifest(path)
    return _describe_recording(path)


def _describe_model(path: Path) -> dict[str, Any]:
    from sprachbund.checkpoints.store import load_model
    from sprachbund.models.table import build_any

    stored = load_model(path)
    model = build_any(stored, where=str(path))
    parameters = sum(parameter.numel() for parameter in model.parameters())
    vocabulary = None if stored.tokenizer is None else stored.tokenizer.vocabulary
    return {
        "kind": f"model folder, {stored.kind}",
        "parameters": f"{parameters / 1e6:.1f} million",
        "vocabulary": "none" if vocabulary is None else f"{len(vocabulary)} symbols, {vocabulary.fingerprint()[:16]}",
        **stored.facts,
    }


def _describe_run(path: Path) -> dict[str, Any]:
    from sprachbund.training.checkpointing import damage, list_checkpoints

    checkpoints = {kept.name: damage(kept) or "sound" for kept in list_checkpoints(path / "checkpoints")}
    state = f"finished, {path / 'model'}" if (path / "model").is_dir() else "not finished: go on with --resume"
    return {"kind": "run", "state": state, **checkpoints}


def _describe_checkpoint(path: Path) -> dict[str, Any]:
    from sprachbund.training.checkpointing import read_checkpoint

    content = read_checkpoint(path)
    try:
        cursors = content.get("TrainingData", {}).get("cursors", {})
        places = {name: f"pass {epoch}, batch {batches}" for name, (epoch, batches) in cursors.items()}
    except (AttributeError, TypeError, ValueError):
        raise CheckpointError("this file is not a checkpoint of a run", where=path) from None
    return {"kind": "training checkpoint", "steps": content.get("global_step"), **places}


def _describe_manifest(path: Path) -> dict[str, Any]:
    from sprachbund.data.storage.manifest import read_cuts

    cuts = list(read_cuts(path))
    texts = [supervision.text for cut in cuts for supervision in cut.supervisions if supervision.text]
    return {
        "kind": "manifest",
        "cuts": len(cuts),
        "minutes": f"{sum(cut.duration for cut in cuts) / 60:.2f}",
        "words": sum(len(text.split()) for text in texts),
        "units": sorted(
            {str((getattr(cut, "custom", None) or {}).get("units_fingerprint", "none"))[:16] for cut in cuts}
        ),
    }


def _describe_store(path: Path) -> dict[str, Any]:
    from sprachbund.data.text.checking import describe_fields
    from sprachbund.data.text.store import LineStore

    store = LineStore(path)
    return {"kind": "line store", "lines": len(store), **describe_fields(store), "fingerprint": store.fingerprint[:16]}


def _describe_ngram(path: Path) -> dict[str, Any]:
    from sprachbund.models.ngram.store import load_ngram

    model = load_ngram(path)
    counts = ", ".join(f"{count} {order}-grams" for order, count in enumerate(model.counts, start=1))
    told = {name: fact for name, fact in model.facts.items() if isinstance(fact, int | str)}
    return {"kind": "n-gram model", "level": model.level or "not said", "n-grams": counts, **told}


def _describe_recording(path: Path) -> dict[str, Any]:
    from sprachbund.signal.audio import probe_audio

    audio = probe_audio(path)
    return {
        "kind": "recording",
        "seconds": f"{audio.duration:.3f}",
        "rate": f"{audio.sampling_rate} Hz",
        "channels": audio.num_channels,
    }
