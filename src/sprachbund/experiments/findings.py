"""What an experiment left on disk, gathered for its report."""

import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import soundfile

from sprachbund.config import read_yaml
from sprachbund.data.batches.collate import transcript_of
from sprachbund.data.storage.manifest import read_cuts
from sprachbund.data.storage.waveforms import read_waveform
from sprachbund.decoding.recognition.recognizer import Recognizer
from sprachbund.evaluation.demo_report import CorpusShare, DemoFindings, OverfitResult, SystemResult
from sprachbund.evaluation.error_rates import commonest_line_baseline
from sprachbund.evaluation.evaluate import load_evaluation
from sprachbund.evaluation.report import Clip, NamedHypothesis
from sprachbund.experiments.pictures import draw_attention, draw_units
from sprachbund.experiments.places import Places
from sprachbund.experiments.plan import Plan
from sprachbund.experiments.stages import METHODS, SYSTEMS, TEST_SETS
from sprachbund.serving.load import load
from sprachbund.tokens.units import UnitModel
from sprachbund.training.callbacks import METRICS

SAMPLING_RATE = 16000


def collect_findings(plan: Plan, places: Places, seconds: dict[str, float], hardware: str) -> DemoFindings:
    """Everything the report says, from the files of the experiment.

    Raises:
        SprachbundError: a file that an earlier stage wrote cannot be read.
    """
    cuts = {split: list(read_cuts(places.manifest("steel-sky", split))) for split in ("train", "dev", "test")}
    asterisk = list(read_cuts(places.manifest(*TEST_SETS["asterisk"])))
    tests = {"steel-sky": cuts["test"], "asterisk": asterisk}
    train_texts = [transcript_of(cut) for cut in cuts["train"]]
    recognizer = load(places.model("finetune"))
    systems = _systems(places)
    return DemoFindings(
        recipe=plan.name,
        hardware=hardware,
        stage_seconds=seconds,
        speech_minutes=_minutes(cuts["train"]),
        corpora=_corpora(places, cuts, asterisk),
        systems=systems,
        baselines={
            name: commonest_line_baseline(train_texts, [transcript_of(cut) for cut in held_out])
            for name, held_out in tests.items()
        },
        pretraining_log=places.run("pretrain") / METRICS,
        pretrained_log=places.run("finetune") / METRICS,
        scratch_log=places.run("scratch") / METRICS,
        overfit=_overfit(places.out / "overfit.json"),
        attention_png=draw_attention(recognizer, _typical(cuts["test"])),
        units_png=draw_units(_typical(list(read_cuts(places.labelled("dev")))), UnitModel.load(places.units)),
        clips=_clips(plan, cuts["test"], systems),
        facts=_facts(plan, places, recognizer),
    )


def _systems(places: Places) -> tuple[SystemResult, ...]:
    return tuple(
        SystemResult("pre-trained" if run == "finetune" else "from scratch", said, test_set, load_evaluation(folder))
        for test_set in TEST_SETS
        for run in SYSTEMS.values()
        for method, said in METHODS.items()
        if (folder := places.evaluation(run, method, test_set)).exists()
    )


def _corpora(places: Places, cuts: dict[str, list[Any]], asterisk: Sequence[Any]) -> tuple[CorpusShare, ...]:
    lines = len(places.text.read_text("utf-8").splitlines())
    return (
        CorpusShare("Steel Sky train", "pre-training, fine-tuning", _minutes(cuts["train"]), len(cuts["train"])),
        CorpusShare("WordNet glosses", "pre-training (text)", 0.0, lines),
        CorpusShare("Steel Sky dev", "validation", _minutes(cuts["dev"]), len(cuts["dev"])),
        CorpusShare("Steel Sky test", "test", _minutes(cuts["test"]), len(cuts["test"])),
        CorpusShare("Asterisk", "test (another voice and domain)", _minutes(asterisk), len(asterisk)),
    )


def _clips(plan: Plan, cuts: Sequence[Any], systems: Sequence[SystemResult]) -> tuple[Clip, ...]:
    """Clips spread evenly over the test set, so that nobody picked them."""
    step = max(1, len(cuts) // plan.num_played)
    heard = {
        system.name: {clip.id: clip.hypothesis for clip in system.result.clips}
        for system in systems
        if system.test_set == "steel-sky"
    }
    return tuple(
        Clip(
            title=cut.id,
            audio=_as_ogg(cut),
            reference=transcript_of(cut),
            hypotheses=tuple(NamedHypothesis(name, texts[cut.id]) for name, texts in heard.items()),
        )
        for cut in cuts[step // 2 :: step][: plan.num_played]
    )


def _as_ogg(cut: Any) -> bytes:
    buffer = io.BytesIO()
    soundfile.write(buffer, read_waveform(cut), SAMPLING_RATE, format="OGG", subtype="VORBIS")
    return buffer.getvalue()


def _facts(plan: Plan, places: Places, recognizer: Recognizer) -> dict[str, str]:
    environment = json.loads((places.run("finetune") / "environment.json").read_text("utf-8"))
    parameters = sum(parameter.numel() for parameter in recognizer.model.parameters())
    steps = {name: read_yaml(places.run(name) / "recipe.yaml")["run"] for name in ("pretrain", "finetune", "scratch")}
    return {
        "model": f"SpeechT5, {parameters / 1e6:.1f} million parameters",
        "optimizer steps": ", ".join(f"{name} {run['steps']}" for name, run in steps.items()),
        "seed": ", ".join(sorted({str(run["seed"]) for run in steps.values()})),
        "units": f"{plan.num_units} k-means clusters of MFCC, 100 a second",
        "versions": ", ".join(f"{name} {number}" for name, number in environment["packages"].items()),
    }


def _overfit(path: Path) -> OverfitResult:
    return OverfitResult(**json.loads(path.read_text("utf-8")))


def _typical(cuts: Sequence[Any]) -> Any:
    """A clip of the middle length among those of more than two seconds, or of all where none is."""
    long = [cut for cut in cuts if cut.duration > 2] or list(cuts)
    return sorted(long, key=lambda cut: (cut.duration, cut.id))[len(long) // 2]


def _minutes(cuts: Sequence[Any]) -> float:
    return float(sum(cut.duration for cut in cuts)) / 60
