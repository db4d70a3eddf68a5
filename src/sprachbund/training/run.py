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
import signal
import warnings
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import Trainer
from rich.console import Console

from sprachbund.checkpoints.store import StoredModel, save_model
from sprachbund.config import dump_yaml, from_mapping, read_yaml, to_mapping
from sprachbund.decoding.translation import translation_search
from sprachbund.errors import CheckpointError, RecipeError
from sprachbund.evaluation.translation import corpus_scores
from sprachbund.files import write_atomically
from sprachbund.models.speech_encoder import SpeechEncoder
from sprachbund.models.table import kind_of
from sprachbund.training.assembly.assemble import assemble
from sprachbund.training.assembly.parts import Assembly
from sprachbund.training.callbacks import Checkpoints, ProgressBar, RunLog, Validation
from sprachbund.training.card import model_card
from sprachbund.training.checkpointing import (
    AtomicCheckpointIO,
    list_checkpoints,
    newest_sound_checkpoint,
    remove_unfinished,
)
from sprachbund.training.compute import prepare
from sprachbund.training.data import TrainingData
from sprachbund.training.distributed import Processes, check_share, launched_processes, strategy_of
from sprachbund.training.fingerprints import data_fingerprints
from sprachbund.training.inspection import RecognitionInspector
from sprachbund.training.interruption import Interrupted
from sprachbund.training.memory import keep_freed_memory
from sprachbund.training.module import TrainingModule
from sprachbund.training.recipe import Recipe
from sprachbund.training.sharding import check_shardable
from sprachbund.training.speech_recipes import TranslationRecipe

CHECKPOINTS, MODEL, RECIPE, DATA = "checkpoints", "model", "recipe.yaml", "data.json"
# What a resumed run may change: the length of the run, how it is watched, and what does not change its numbers.
FREE = ("steps", "log_every", "validate_every", "checkpoint_every", "keep_checkpoints", "loader_workers", "strategy")
PACKAGES = ("sprachbund", "torch", "lightning", "lhotse", "numpy", "soundfile", "soxr", "scikit-learn", "sentencepiece")


def train(recipe: Recipe, folder: Path, *, resume: bool = False, console: Console | None = None) -> Path:
    """Train what a recipe describes and return the model folder.

    Processes that torchrun or srun has started train together. A Ctrl-C or SIGTERM ends the run after the step at
    work, with a checkpoint; a second one ends it at once.

    Args:
        recipe: every choice.
        folder: of the run.
        resume: go on from the newest sound checkpoint in `folder`.
        console: where to say what happens.

    Raises:
        RecipeError: the folder holds a run already, or one of another recipe.
        SprachbundError: data or weights cannot be used.
        KeyboardInterrupt: a Ctrl-C has stopped the run.
        SystemExit: with code 143, SIGTERM has stopped the run.
    """
    processes = launched_processes()
    check_share(recipe.run.accumulate, processes)
    console = (console or Console(stderr=True)) if processes.is_first else Console(quiet=True)
    start = _prepare(recipe, folder, resume, processes, console)
    if not torch.cuda.is_available():
        keep_freed_memory()
    if recipe.run.threads:
        torch.set_num_threads(recipe.run.threads)
    assembly = assemble(recipe, lambda sentence: console.print(sentence, highlight=False, markup=False))
    if processes.count > 1 and recipe.run.strategy == "fsdp":
        check_shardable(assembly.model)
    if processes.is_first:
        _describe(recipe, assembly, folder)
    prepare(assembly.model, recipe.compute)
    module = TrainingModule(assembly.objective, recipe.optimization, recipe.run.seed, recipe.compute.precision)
    data = TrainingData(
        assembly.streams,
        assembly.collators,
        assembly.held_out,
        accumulate=recipe.run.accumulate,
        loader_workers=recipe.run.loader_workers,
        processes=processes,
    )
    _fit(_trainer(recipe, assembly, folder, processes, console), module, data, start, console)
    model = folder / MODEL
    if processes.is_first:
        save_model(model, _stored(recipe, assembly, module.weights))
    return model


def _prepare(recipe: Recipe, folder: Path, resume: bool, processes: Processes, console: Console) -> Path | None:
    """The checkpoint to start from, if any; refuses to mix two runs in one folder."""
    checkpoints = list_checkpoints(folder / CHECKPOINTS)
    if checkpoints and not resume:
        mend = "Add --resume to go on with it, or give another --out."
        raise RecipeError("this folder holds a run already", where=folder, mend=mend)
    if checkpoints:
        _check_same_recipe(recipe, folder)
        _check_same_data(recipe, folder)
    if processes.is_first:
        _clean(folder, all_but_checkpoints=not resume)
    if not resume:
        return None
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
        for key in FREE:
            mapping["run"].pop(key)
    different = [key for key in ours if ours[key] != theirs[key]]
    if different:
        raise RecipeError(
            "the run in this folder was made by another recipe",
            where=folder,
            given=f"different: {', '.join(different)}",
            mend="Resume with the recipe.yaml in the folder, or give another --out.",
        )


def _check_same_data(recipe: Recipe, folder: Path) -> None:
    """The place in a stream means nothing in other data."""
    if not (folder / DATA).is_file():
        return
    try:
        old = dict(json.loads((folder / DATA).read_text("utf-8"))["files"])
    except (ValueError, KeyError, TypeError) as error:
        raise RecipeError("the fingerprints of the data cannot be read", where=folder / DATA, given=error) from None
    changed = [path for path, found in data_fingerprints(recipe).items() if old.get(path) != found]
    if changed:
        raise RecipeError(
            "the data of this run has changed since it began",
            where=folder,
            given=", ".join(changed),
            mend="Put the files back as they were, or start another run from the weights of this one.",
        )


def _clean(folder: Path, *, all_but_checkpoints: bool) -> None:
    """Delete what a killed process had begun to write, and for a new run what an old one left."""
    remove_unfinished(folder / CHECKPOINTS)
    for path in folder.glob(f".{MODEL}.*"):
        shutil.rmtree(path)
    for name in ("metrics.jsonl", "tensorboard") if all_but_checkpoints else ():
        path = folder / name
        shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)


def _describe(recipe: Recipe, assembly: Assembly, folder: Path) -> None:
    """Write the resolved recipe, the environment and the fingerprint of the data beside the weights."""
    documents = {
        RECIPE: dump_yaml(to_mapping(recipe)),
        "environment.json": json.dumps(environment(), indent=1) + "\n",
        DATA: json.dumps(_data_facts(recipe, assembly), indent=1) + "\n",
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
    return {
        "files": data_fingerprints(recipe),
        "vocabulary": None if assembly.tokenizer is None else assembly.tokenizer.vocabulary.fingerprint(),
        **assembly.facts,
    }


def _trainer(recipe: Recipe, assembly: Assembly, folder: Path, processes: Processes, console: Console) -> Trainer:
    for name in ("lightning.pytorch", "lightning.fabric"):
        logging.getLogger(name).setLevel(logging.ERROR)
    run, log = recipe.run, RunLog(folder, recipe.run.log_every)
    callbacks: list[Any] = [log, Checkpoints(folder / CHECKPOINTS, run.checkpoint_every, run.keep_checkpoints)]
    if assembly.held_out:
        callbacks.append(Validation(log, console, _inspector(recipe, assembly)))
    callbacks.append(ProgressBar(console))
    return Trainer(
        accelerator="auto",
        devices=processes.per_machine,
        num_nodes=processes.machines,
        strategy=strategy_of(run.strategy, processes),
        use_distributed_sampler=False,
        max_steps=run.steps,
        max_epochs=-1,
        callbacks=callbacks,
        plugins=[AtomicCheckpointIO(), processes.environment()],
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


def _inspector(recipe: Recipe, assembly: Assembly) -> RecognitionInspector | None:
    """What decodes the held-out clips; None where nothing writes text."""
    model, tokenizer, cuts = assembly.model, assembly.tokenizer, assembly.held_out_cuts
    if not cuts or tokenizer is None or not isinstance(model, SpeechEncoder):
        return None
    if isinstance(recipe, TranslationRecipe):
        return RecognitionInspector(model, tokenizer, cuts, config=translation_search(), score=corpus_scores)
    if model.ctc_head is None and not model.has_text_decoder:
        return None
    return RecognitionInspector(model, tokenizer, cuts)


def _fit(trainer: Trainer, module: TrainingModule, data: TrainingData, start: Path | None, console: Console) -> None:
    with warnings.catch_warnings():
        # Lightning's advice on numbers of workers; recipes choose them.
        warnings.filterwarnings("ignore", message=".*does not have many workers.*")
        warnings.filterwarnings("ignore", message=".*`IterableDataset` has `__len__` defined.*")
        # Of sharded layers whose output is a view: nothing here is changed in place.
        warnings.filterwarnings("ignore", message=".*returned a view tensor.*")
        # Lightning's own use of what PyTorch has renamed.
        warnings.filterwarnings("ignore", message=".*isinstance\\(treespec, LeafSpec\\).*")
        try:
            trainer.fit(module, datamodule=data, ckpt_path=None if start is None else str(start))
        except Interrupted as stop:
            if stop.signal == signal.SIGINT:
                raise KeyboardInterrupt from None
            console.print(f"{stop}; what was done is saved, and --resume goes on from there.", highlight=False)
            raise SystemExit(128 + stop.signal) from None
        finally:
            module.interruption.rest()


def _stored(recipe: Recipe, assembly: Assembly, weights: dict[str, Any]) -> StoredModel:
    facts = {**assembly.facts, "steps": recipe.run.steps}
    return StoredModel(
        kind=kind_of(assembly.model),
        config=to_mapping(assembly.model.config),
        weights=weights,
        tokenizer=assembly.tokenizer,
        facts=facts,
        card=model_card(facts, recipe),
        recipe=dump_yaml(to_mapping(recipe)),
    )
