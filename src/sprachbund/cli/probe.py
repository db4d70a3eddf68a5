"""``sprachbund probe MODEL --train MANIFEST --valid MANIFEST --test MANIFEST --task phones --out FILE``."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from sprachbund.cli.decoding import ThreadsOption, set_threads
from sprachbund.cli.features import MFCC
from sprachbund.errors import RecipeError

app = typer.Typer(add_completion=False)

Manifests = list[str]


class Task(StrEnum):
    """What a probe is to tell from features; help does not wait for the module that has them."""

    PHONES = "phones"
    FRAMES = "frames"
    CHARACTERS = "characters"


@app.command()
def probe(
    model: Annotated[str, typer.Argument(help="A model folder, or the word mfcc.")],
    train: Annotated[Manifests, typer.Option(help="Manifest or Shar of the speech to learn from; again for more.")],
    valid: Annotated[Manifests, typer.Option(help="Of the speech that chooses the epoch.")],
    test: Annotated[Manifests, typer.Option(help="Of the speech to judge on.")],
    out: Annotated[Path, typer.Option(help="File of the figures (JSON).")],
    task: Annotated[Task, typer.Option(help="phones: recognised; frames: the phone of each; characters: who speaks.")],
    untrained: Annotated[bool, typer.Option("--untrained", help="Draw the weights anew for each seed.")] = False,
    seeds: Annotated[int, typer.Option(min=1, help="Probes to train.")] = 3,
    epochs: Annotated[int | None, typer.Option(min=1, help="Of each training.")] = None,
    max_hours: Annotated[float | None, typer.Option(min=0.001, help="Learn from so much speech at most.")] = None,
    cache: Annotated[
        Path | None, typer.Option(help="Folder of stored features; 'features' beside the figures where not given.")
    ] = None,
    against: Annotated[Path | None, typer.Option(help="Figures of another probe to compare with.")] = None,
    threads: ThreadsOption = 0,
) -> None:
    """Tell how much a linear probe hears in the frozen features of an encoder, over a learned mix of its layers."""
    from sprachbund.evaluation.probe_data import ProbeTask, at_most_hours, label_cuts
    from sprachbund.evaluation.probe_report import (
        compare_probes,
        describe_difference,
        load_report,
        probe_encoder,
        save_report,
        summarize,
    )
    from sprachbund.evaluation.probing import EPOCHS, ProbeConfig

    set_threads(threads)
    wanted = ProbeTask(task.value)
    other = None if against is None else load_report(against)
    given = {"train": train, "valid": valid, "test": test}
    sets = {name: label_cuts(_read(manifests), wanted, ", ".join(manifests)) for name, manifests in given.items()}
    if max_hours is not None:
        sets["train"] = at_most_hours(sets["train"], max_hours)
    report = probe_encoder(
        _features_of(model, untrained),
        sets,
        wanted,
        cache or out.parent / "features",
        encoder=f"{model}, untrained" if untrained else model,
        num_seeds=seeds,
        config=ProbeConfig(epochs=epochs or EPOCHS[wanted]),
    )
    save_report(report, out)
    typer.echo(summarize(report))
    if other is not None:
        typer.echo(describe_difference(compare_probes(report, other), report, other))


def _read(manifests: Manifests) -> list[Any]:
    from sprachbund.data.storage.shar import read_speech

    return [cut for manifest in manifests for cut in read_speech(manifest)]


def _features_of(model: str, is_untrained: bool) -> Any:
    """From a seed to the features that its probe reads."""
    from sprachbund.evaluation.frozen_features import encoder_features, paired_mfcc_features, untrained
    from sprachbund.models.features import load_encoder

    if model == MFCC and is_untrained:
        raise RecipeError("MFCC have no weights", mend="Leave --untrained out.")
    if not is_untrained:
        features = paired_mfcc_features() if model == MFCC else encoder_features(load_encoder(Path(model)))
        return lambda _: features
    encoder = load_encoder(Path(model))
    return lambda seed: encoder_features(untrained(encoder, seed))
