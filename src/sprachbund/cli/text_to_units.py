"""Verbs of models that read text: ``sprachbund tokens`` with train-t2u, train-g2p, text-to-units and t2u-quality."""

from pathlib import Path
from typing import Annotated

import typer

from sprachbund.cli.training import OutOption, OverridesArgument, RecipeArgument, ResumeOption, run_recipe
from sprachbund.cli.units import JobsOption


def train_t2u(
    recipe: RecipeArgument, overrides: OverridesArgument = None, out: OutOption = None, resume: ResumeOption = False
) -> None:
    """Train a model from phones to units, on a little speech that is aligned and labelled."""
    run_recipe("tokens train-t2u", recipe, overrides, out, resume)


def train_g2p(
    recipe: RecipeArgument, overrides: OverridesArgument = None, out: OutOption = None, resume: ResumeOption = False
) -> None:
    """Train a model from letters to phones on a lexicon, and say how often it is wrong on words it has not seen."""
    model = run_recipe("tokens train-g2p", recipe, overrides, out, resume)

    from sprachbund.checkpoints.store import load_model
    from sprachbund.decoding.phones.pronouncing import load_guess
    from sprachbund.evaluation.pronunciation import pronunciation_errors
    from sprachbund.tokens.lexicon import load_lexicon

    words = load_lexicon(str(load_model(model).facts["lexicon"])).part("test")
    found = pronunciation_errors(load_guess(model), words)
    for name, rate in (("word", found.word_error_rate), ("phone", found.phone_error_rate)):
        told = f"{name} error rate {rate.rate:.4f} (95 % {rate.low:.4f} to {rate.high:.4f})"
        typer.echo(f"{told}: {rate.errors} of {rate.length} {name}s of {len(words)} held-out words")


def text_to_units(
    model: Annotated[Path, typer.Argument(help="Model folder of tokens train-t2u.")],
    source: Annotated[
        str, typer.Argument(metavar="PHONES", help="Line store of tokens phonemes, or lines of phones in a file.")
    ],
    out: Annotated[Path, typer.Option(help="Line store of the units.")],
    jobs: JobsOption = 1,
    shard: Annotated[
        str | None, typer.Option(metavar="NUMBER/COUNT", help="Do this part only, such as 3/8; for many machines.")
    ] = None,
) -> None:
    """Make units of text that was turned into phones; what an interrupted run or other shards have done is kept."""
    from sprachbund.data.text.blocks import transform_lines
    from sprachbund.data.units import Shard
    from sprachbund.decoding.text_to_units import UnitsOfPhones, load_unit_writer, phones_of

    part = None if shard is None else Shard.parse(shard)
    tokenizer = load_unit_writer(model)[0].tokenizer
    assert tokenizer is not None, "checked when the model was read"
    work = UnitsOfPhones.load(model)
    outcome = transform_lines(phones_of(source, tokenizer), work, out, jobs=jobs, shard=part)
    for sentence in outcome.sentences():
        typer.echo(sentence)
    kind = "reduced units" if work.is_reduced else "units"
    waiting = f"{out} is written when the other shards are done"
    typer.echo(waiting if outcome.store is None else f"{outcome.store.num_items('units')} {kind} in {out}")


def t2u_quality(
    model: Annotated[Path, typer.Argument(help="Model folder of tokens train-t2u.")],
    manifest: Annotated[Path, typer.Argument(help="Held-out clips, aligned and labelled.")],
    train: Annotated[Path, typer.Option(help="Manifest that the model has learned from, for the baselines.")],
    generator: Annotated[Path | None, typer.Option(help="A generator of reduced units to compare with.")] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of the choice of other renderings.")] = 0,
    json_file: Annotated[Path | None, typer.Option("--json", help="Also write the figures to this file.")] = None,
) -> None:
    """Say how far units of text are from the units of the same words spoken, beside simpler ways to units."""
    import json
    from dataclasses import asdict

    from rich.console import Console
    from rich.table import Table

    from sprachbund.evaluation.text_to_unit import text_to_unit_quality
    from sprachbund.files import write_atomically

    folders = [model] if generator is None else [model, generator]
    found = text_to_unit_quality(folders, manifest, train, seed=seed)
    if json_file is not None:
        with write_atomically(json_file, "w") as handle:
            handle.write(json.dumps({"models": [str(folder) for folder in folders], **asdict(found)}, indent=2))
    table = Table("", "unit errors", "misplaced", "reduced")
    for name, errors in found.systems.items():
        placed = "" if errors.misplaced is None else f"{errors.misplaced:.4f}"
        rates = [
            "" if one is None else f"{one.rate:.4f} ({one.low:.3f}-{one.high:.3f})"
            for one in (errors.units, errors.reduced)
        ]
        table.add_row(name, rates[0], placed, rates[1])
    Console(width=120).print(table)
    for name, gain in found.gain.items():
        typer.echo(f"{name}: {gain:.1%} fewer errors than the commonest unit of each phone")
    typer.echo(f"{found.clips} clips, {found.units} units; {found.unaligned} clips without an alignment left out")
    typer.echo(f"baselines of {found.train_clips} clips, {found.train_units} units")
