"""A run from recipe to model folder.

runs/NAME/
  recipe.yaml, environment.json, data.json   what was asked, with what, on what
  metrics.jsonl, tensorboard/                the figures of the run
  checkpoints/step-*.ckpt                    training state, to resume
  model/                                     the result, a folder that moves anywhere
"""

import json
import logging
import platform
import shutil
import warnings
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import Trainer
from rich.console import Console

from sprachbund.checkpoints.store import StoredModel, save_model
from sprachbund.config import dump_yaml, from_mapping, read_yaml, to_mapping
from sprachbund.data.fingerprint import file_fingerprint
from sprachbund.errors import CheckpointError, RecipeError
from sprachbund.files import write_atomically
from sprachbund.training.assembly import Assembly, assemble
from sprachbund.training.callbacks import Checkpoints, ProgressBar, RunLog, Validation
from sprachbund.training.card import model_card
from sprachbund.training.checkpointing import AtomicCheckpointIO, list_checkpoints, newest_sound_checkpoint
from sprachbund.training.data import TrainingData
from sprachbund.training.inspection import RecognitionInspector
from sprachbund.training.memory import keep_freed_memory
from sprachbund.training.module import TrainingModule
from sprachbund.training.recipe import Recipe, RecognitionRecipe

CHECKPOINTS, MODEL, RECIPE = "checkpoints", "model", "recipe.yaml"
PACKAGES = ("sprachbund", "torch", "lightning", "lhotse", "numpy", "soundfile", "soxr", "scikit-learn", "sentencepiece")


def train(recipe: Recipe, folder: Path, *, resume: bool = False, console: Console | None = None) -> Path:
    """Train what a recipe describes and return the model folder.

    Args:
        recipe: every choice.
        folder: of the run.
        resume: go on from the newest sound checkpoint in `folder`.
        console: where to say what happens.

    Raises:
        RecipeError: the folder holds a run already, or one of another recipe.
        SprachbundError: data or weights cannot be used.
    """
    console = console or Console(stderr=True)
    start = _prepare(recipe, folder, resume, console)
    if not torch.cuda.is_available():
        keep_freed_memory()
    if recipe.run.threads:
        torch.set_num_threads(recipe.run.threads)
    assembly = assemble(recipe, lambda sentence: console.print(sentence, highlight=False, markup=False))
    _describe(recipe, assembly, folder)
    module = TrainingModule(assembly.objective, recipe.optimization, recipe.run.seed)
    data = TrainingData(
        assembly.streams,
        assembly.collators,
        assembly.held_out,
        accumulate=recipe.run.accumulate,
        loader_workers=recipe.run.loader_workers,
    )
    _fit(_trainer(recipe, assembly, folder, console), module, data, start)
    model = folder / MODEL
    save_model(model, _stored(recipe, assembly))
    return model


def _prepare(recipe: Recipe, folder: Path, resume: bool, console: Console) -> Path | None:
    """The checkpoint to start from, if any; refuses to mix two runs in one folder."""
    checkpoints = list_checkpoints(folder / CHECKPOINTS)
    if not resume:
        if checkpoints:
            mend = "Add --resume to go on with it, or give another --out."
            raise RecipeError("this folder holds a run already", where=folder, mend=mend)
        for name in ("metrics.jsonl", "tensorboard"):
            path = folder / name
            shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
        return None
    if checkpoints:
        _check_same_recipe(recipe, folder)
    start = newest_sound_checkpoint(
        folder / CHECKPOINTS, lambda told: console.print(told, highlight=False, markup=False)
    )
    if checkpoints and start is None:
        raise CheckpointError(
            "no checkpoint of this run is sound", where=folder / CHECKPOINTS, mend="Delete the folder and train anew."
        )
    return start


def _check_same_recipe(recipe: Recipe, folder: Path) -> None:
    """Everything but the length of the run and how it is watched must be as it was."""
    old = from_mapping(type(recipe), read_yaml(folder / RECIPE), folder / RECIPE)
    ours, theirs = to_mapping(recipe), to_mapping(old)
    for mapping in (ours, theirs):
        for key in ("steps", "log_every", "validate_every", "checkpoint_every", "keep_checkpoints", "loader_workers"):
            mapping["run"].pop(key)
    different = [key for key in ours if ours[key] != theirs[key]]
    if different:
        raise RecipeError(
            "the run in this folder was made by another recipe",
            where=folder,
            given=f"different: {', '.join(different)}",
            mend="Resume with the recipe.yaml in the folder, or give another --out.",
        )


def _describe(recipe: Recipe, assembly: Assembly, folder: Path) -> None:
    """Write the resolved recipe, the environment and the fingerprint of the data beside the weights."""
    documents = {
        RECIPE: dump_yaml(to_mapping(recipe)),
        "environment.json": json.dumps(environment(), indent=1) + "\n",
        "data.json": json.dumps(_data_facts(recipe, assembly), indent=1) + "\n",
    }
    for name, text in documents.items():
        with write_atomically(folder / name, "w") as handle:
            handle.write(text)


def environment() -> dict[str, Any]:
    """Versions and machine."""
    versions = {}
    for name in PACKAGES:
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            versions[name] = "not installed"
    return {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "threads": torch.get_num_threads(),
        "packages": versions,
    }


def _data_facts(recipe: Recipe, assembly: Assembly) -> dict[str, Any]:
    paths = [
        path for part in (recipe.speech, getattr(recipe, "text", None)) if part for path in (*part.train, *part.valid)
    ]
    return {
        "files": {str(path): file_fingerprint(path) for path in paths},
        "vocabulary": assembly.tokenizer.vocabulary.fingerprint(),
        **assembly.facts,
    }


def _trainer(recipe: Recipe, assembly: Assembly, folder: Path, console: Console) -> Trainer:
    for name in ("lightning.pytorch", "lightning.fabric"):
        logging.getLogger(name).setLevel(logging.ERROR)
    run, log = recipe.run, RunLog(folder, recipe.run.log_every)
    callbacks: list[Any] = [log, Checkpoints(folder / CHECKPOINTS, run.checkpoint_every, run.keep_checkpoints)]
    if assembly.held_out:
        inspector = None
        if isinstance(recipe, RecognitionRecipe):
            inspector = RecognitionInspector(assembly.model, assembly.tokenizer, assembly.held_out_cuts)
        callbacks.append(Validation(log, console, inspector))
    callbacks.append(ProgressBar(console))
    return Trainer(
        accelerator="auto",
        devices=1,
        max_steps=run.steps,
        max_epochs=-1,
        callbacks=callbacks,
        plugins=[AtomicCheckpointIO()],
        logger=False,
        default_root_dir=str(folder),
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        val_check_interval=min(run.validate_every, run.steps) if assembly.held_out else None,
        check_val_every_n_epoch=None if assembly.held_out else 1,
        limit_val_batches=1.0 if assembly.held_out else 0,
        num_sanity_val_steps=0,
    )


def _fit(trainer: Trainer, module: TrainingModule, data: TrainingData, start: Path | None) -> None:
    with warnings.catch_warnings():
        # Lightning's advice on numbers of workers; recipes choose them.
        warnings.filterwarnings("ignore", message=".*does not have many workers.*")
        warnings.filterwarnings("ignore", message=".*`IterableDataset` has `__len__` defined.*")
        # Lightning's own use of what PyTorch has renamed.
        warnings.filterwarnings("ignore", message=".*isinstance\\(treespec, LeafSpec\\).*")
        trainer.fit(module, datamodule=data, ckpt_path=None if start is None else str(start))


def _stored(recipe: Recipe, assembly: Assembly) -> StoredModel:
    facts = {**assembly.facts, "steps": recipe.run.steps}
    return StoredModel(
        kind="speecht5",
        config=to_mapping(assembly.model.config),
        weights=assembly.model.state_dict(),
        tokenizer=assembly.tokenizer,
        facts=facts,
        card=model_card(facts, recipe),
        recipe=dump_yaml(to_mapping(recipe)),
    )
