"""The stages of an experiment, in order. Each leaves its result on disk and does nothing where it is there already."""

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from itertools import islice
from typing import Any

from rich.console import Console

from sprachbund.data.batches.collate import transcript_of
from sprachbund.data.checking.check import Inputs, check
from sprachbund.data.checking.rules import Rules
from sprachbund.data.corpora.registry import prepare_corpus
from sprachbund.data.storage.manifest import read_cuts, write_cuts
from sprachbund.data.units import attach_units, fit_units
from sprachbund.decoding.recognition.config import DecodingConfig, Method
from sprachbund.decoding.recognition.recognizer import Recognizer
from sprachbund.evaluation.evaluate import FIGURES_FILE, evaluate, save_evaluation
from sprachbund.experiments.overfit import overfit_one_batch
from sprachbund.experiments.places import Places
from sprachbund.experiments.plan import Plan
from sprachbund.files import write_atomically
from sprachbund.serving.load import load
from sprachbund.serving.manifests import decode_cuts
from sprachbund.tokens.text import CharacterTokenizer, load_tokenizer
from sprachbund.tokens.units import UnitModel
from sprachbund.training.checkpointing import list_checkpoints
from sprachbund.training.recipe import load_recipe
from sprachbund.training.run import CHECKPOINTS, train

CORPORA = ("steel-sky", "asterisk", "wordnet")
TEST_SETS = {"steel-sky": ("steel-sky", "test"), "asterisk": ("asterisk", "all")}
METHODS: dict[Method, str] = {"ctc": "greedy CTC", "attention": "attention beam"}
SYSTEMS = {"pre-trained": "finetune", "from scratch": "scratch"}


@dataclass(frozen=True)
class Experiment:
    """A plan on its way."""

    plan: Plan
    places: Places
    console: Console

    def get_corpora(self) -> None:
        """Fetch and prepare what is not there yet."""
        for name in CORPORA:
            prepared = prepare_corpus(name, self.places.corpora, None, self.console.is_terminal)
            self.say(f"{name}: {'already there' if prepared.was_complete else 'ready'}")

    def check_corpora(self) -> None:
        """Every recording can be read and is as its manifest says, and nothing of dev or test is trained on."""
        for name, texts in (("steel-sky", [self.places.text]), ("asterisk", [])):
            training, *held_out = (self.places.manifest(name, split) for split in ("train", "dev", "test"))
            report = check(Inputs(manifests=[training], held_out=held_out, texts=texts), Rules()).report
            for path, summary in report.summaries.items():
                self.say(f"{path.parent.name} {path.name.partition('.')[0]}: {summary}")
            report.require_clean("Delete the folder of the corpus, and get it again.")

    def make_tokens(self) -> None:
        """The tokenizer, the unit model, and Steel Sky labelled with units."""
        places = self.places
        train_cuts = read_cuts(places.manifest("steel-sky", "train"))
        if not (places.tokenizer / "tokenizer.json").exists():
            lines = [transcript_of(cut) for cut in train_cuts] + places.text.read_text("utf-8").splitlines()
            CharacterTokenizer.train(lines).save(places.tokenizer)
        if not (places.units / "units.json").exists():
            fit_units(train_cuts, self.plan.num_units, seed=self.plan.seed).save(places.units)
        model = UnitModel.load(places.units)
        for split in ("train", "dev"):
            if not places.labelled(split).exists():
                cuts = read_cuts(places.manifest("steel-sky", split))
                write_cuts(attach_units(cuts, model, places.out / "tokens" / "units"), places.labelled(split))

    def pretrain(self) -> None:
        """Joint pre-training on speech with units and on text."""
        places = self.places
        overrides = (
            _set("tokenizer", places.tokenizer),
            _set("units", places.units),
            _set("speech.train", [places.labelled("train")]),
            _set("speech.valid", [places.labelled("dev")]),
            _set("text.train", [places.text]),
        )
        self._train("pretrain", self.plan.pretraining, overrides)

    def finetune(self) -> None:
        """Recognition from the pre-trained weights."""
        self._train("finetune", self.plan.recognition, (_set("init", self.places.model("pretrain")),))

    def train_from_scratch(self) -> None:
        """Recognition from random weights, with the same data, steps and rates."""
        overrides = ("init=null", _set("tokenizer", self.places.tokenizer))
        self._train("scratch", self.plan.recognition, overrides)

    def overfit(self) -> None:
        """One batch, learned by heart."""
        path = self.places.out / "overfit.json"
        if path.exists():
            return
        clips = list(islice(read_cuts(self.places.manifest("steel-sky", "train")), 8))
        tokenizer = load_tokenizer(self.places.tokenizer)
        result = overfit_one_batch(clips, tokenizer, max_steps=self.plan.overfit_steps, seed=self.plan.seed)
        with write_atomically(path, "w") as handle:
            handle.write(json.dumps(asdict(result)) + "\n")
        self.say(f"character error rate {result.cer:.3f} after {result.steps} steps")

    def evaluate_systems(self) -> None:
        """Decode every test set with every system in both ways."""
        for run in SYSTEMS.values():
            recognizer = load(self.places.model(run))
            for test_set in TEST_SETS:
                for method in METHODS:
                    self._evaluate(recognizer, run, test_set, method)

    def say(self, sentence: str) -> None:
        """Tell the user."""
        self.console.print(sentence, highlight=False, markup=False)

    def _train(self, name: str, recipe: str, overrides: tuple[str, ...]) -> None:
        """Train unless it is done; an interrupted run goes on from its newest checkpoint."""
        if self.places.model(name).exists():
            return
        data: tuple[str, ...] = ()
        if name != "pretrain":
            data = (
                _set("speech.train", [self.places.manifest("steel-sky", "train")]),
                _set("speech.valid", [self.places.manifest("steel-sky", "dev")]),
            )
        common = (_set("run.seed", self.plan.seed), _set("run.valid_clips", self.plan.valid_clips))
        folder = self.places.run(name)
        resumed = bool(list_checkpoints(folder / CHECKPOINTS))
        train(load_recipe(recipe, (*overrides, *data, *common)), folder, resume=resumed, console=self.console)

    def _evaluate(self, recognizer: Recognizer, run: str, test_set: str, method: Method) -> None:
        folder = self.places.evaluation(run, method, test_set)
        if (folder / FIGURES_FILE).exists():
            return
        cuts = list(read_cuts(self.places.manifest(*TEST_SETS[test_set])))
        beam = self.plan.beam if method == "attention" else None
        decoded = decode_cuts(recognizer, cuts, DecodingConfig(method=method, beam=beam))
        triples = zip(decoded.ids, decoded.references, decoded.hypotheses, strict=True)
        rate = decoded.blank_rate if method == "ctc" else None
        result = evaluate(triples, blank_rate=rate, seconds=decoded.audio_seconds)
        save_evaluation(result, folder)
        self.say(f"{run}, {method}, {test_set}: WER {result.wer.rate:.3f}, CER {result.cer.rate:.3f}")


def _set(key: str, value: Any) -> str:
    """An override; JSON is YAML, so any path keeps its characters."""
    return f"{key}={json.dumps(value, default=str)}"


STAGES: tuple[tuple[str, Callable[[Experiment], None]], ...] = (
    ("corpora", Experiment.get_corpora),
    ("check", Experiment.check_corpora),
    ("tokens", Experiment.make_tokens),
    ("pre-training", Experiment.pretrain),
    ("fine-tuning", Experiment.finetune),
    ("training from scratch", Experiment.train_from_scratch),
    ("overfitting one batch", Experiment.overfit),
    ("evaluation", Experiment.evaluate_systems),
)
