"""``sprachbund tune-decoding MODEL DEV``."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from sprachbund.cli.decoding import DecodingOptions, ThreadsOption, set_threads
from sprachbund.cli.options import takes_options

app = typer.Typer(add_completion=False)


@dataclass(frozen=True, kw_only=True)
class TuningOptions:
    """How settings are searched for, and on what they are judged."""

    test: Annotated[
        str | None, typer.Option(help="Another manifest, which decides nothing and gets the figures that count.")
    ] = None
    metric: Annotated[str, typer.Option(help="Whose errors are to be few.", metavar="wer|cer")] = "wer"
    trials: Annotated[int, typer.Option(min=1, help="Settings that are tried at most.")] = 60
    max_clips: Annotated[
        int, typer.Option(min=1, help="Clips to tune on at most, chosen by the hash of their ids; all stay in memory.")
    ] = 1000
    beams: Annotated[list[int] | None, typer.Option("--try-beam", min=1, help="Also try this beam.")] = None


@app.command()
@takes_options
def tune_decoding(
    model: Annotated[Path, typer.Argument(help="A model folder.")],
    dev: Annotated[str, typer.Argument(help="A manifest with transcripts to tune on.")],
    decoding: DecodingOptions,
    tuning: TuningOptions,
    out: Annotated[Path, typer.Option(help="File of the settings, for --settings of evaluate and transcribe.")],
    threads: ThreadsOption = 0,
) -> None:
    """Search the weights of CTC, language models and length that make the fewest errors.

    The search begins at the options given and at what is usual. The figures on the clips it tunes on flatter it; those
    of --test do not.
    """
    from sprachbund.data.storage.shar import read_speech
    from sprachbund.evaluation.tuning import EncodedClips, choose_clips, require_metric, tune
    from sprachbund.serving.load import load
    from sprachbund.serving.settings import write_settings
    from sprachbund.serving.tuning_report import Comparison, describe_trial, trial_facts

    start, wanted = decoding.config(), require_metric(tuning.metric)
    set_threads(threads)
    recognizer = load(model)
    recognizer.prepare(start)
    cuts = list(read_speech(dev))
    clips = EncodedClips(recognizer, choose_clips(cuts, tuning.max_clips), start)
    typer.echo(f"tuning on {min(len(cuts), tuning.max_clips)} of {len(cuts)} clips", err=True)
    tuned = tune(
        clips.decode,
        start,
        metric=wanted,
        max_trials=tuning.trials,
        beams=tuning.beams or (),
        on_trial=lambda trial: typer.echo(describe_trial(trial), err=True),
    )
    comparisons = {dev: Comparison.of_settings(clips.decode, start, tuned.config, wanted)}
    if tuning.test is not None:
        held_out = EncodedClips(recognizer, list(read_speech(tuning.test)), start)
        comparisons[tuning.test] = Comparison.of_settings(held_out.decode, start, tuned.config, wanted)
    for name, comparison in comparisons.items():
        note = "" if name == tuning.test else ", which it was tuned on"
        typer.echo("\n".join([f"{name}{note}:", *comparison.lines()]))
    facts = {"metric": wanted, "tuned_on": dev, "data": {name: each.facts() for name, each in comparisons.items()}}
    write_settings(out, tuned.config, {**facts, "trials": [trial_facts(trial) for trial in tuned.trials]})
    typer.echo(f"{len(tuned.trials)} settings tried; the best one is in {out}")
