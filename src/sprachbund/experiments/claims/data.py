"""The data that all systems share: the labelled minutes, the text, the teacher's units, what is prepared of them."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from lhotse import CutSet

from sprachbund.data.batches.collate import transcript_of
from sprachbund.data.corpora.registry import prepare_corpus
from sprachbund.data.storage.fingerprint import file_fingerprint
from sprachbund.data.storage.manifest import read_cuts, write_cuts
from sprachbund.data.subset import chosen_cuts
from sprachbund.data.text.sources import open_text
from sprachbund.data.translations import with_translations
from sprachbund.experiments.claims.budget import Budget
from sprachbund.experiments.claims.places import ASTERISK, STEEL_SKY, ClaimsPlaces
from sprachbund.experiments.claims.rows import Data
from sprachbund.experiments.claims.work import Job, Say, fingerprint_of_files
from sprachbund.experiments.iterations import IterationPlan, iterate
from sprachbund.experiments.preparing.handover import supervision
from sprachbund.experiments.preparing.plans import PhonePlan, Plan, Sources, UnitPlan
from sprachbund.experiments.preparing.prepare import prepare
from sprachbund.experiments.preparing.workshop import TEXT, VALID, WEIGHTS, Workshop
from sprachbund.files import write_atomically
from sprachbund.models.ngram.build import NgramConfig, build_ngram
from sprachbund.models.ngram.store import save_ngram
from sprachbund.tokens.text import CharacterTokenizer

CORPORA = (STEEL_SKY, "amazon-queen", ASTERISK, "wordnet")
TOKENIZER_FILE = "tokenizer.json"
ORDER = 4  # words of the n-gram
_TESTED = ((STEEL_SKY, "test"), (ASTERISK, "all"))


@dataclass(frozen=True)
class SharedData:
    """The jobs that make what more than one system reads."""

    budget: Budget
    places: ClaimsPlaces
    say: Say

    @property
    def speech(self) -> tuple[Path, ...]:
        """Manifests of all speech that is pre-trained on."""
        return tuple(self.places.manifest(name, "train") for name in (STEEL_SKY, "amazon-queen"))

    @property
    def valid(self) -> Path:
        """Held-out speech to validate and to tune on."""
        return self.places.manifest(STEEL_SKY, "dev")

    def jobs(self) -> Iterator[Job]:
        """All of them, in an order in which they can be done."""
        budget, places = self.budget, self.places
        yield Job(name="corpora", choices=lambda: {"corpora": CORPORA}, work=self._get, result=self._corpora)
        yield Job(
            name="data",
            needs=("corpora",),
            choices=lambda: {"minutes": budget.labelled_minutes, "every_line": budget.every_line},
            work=self._choose,
            result=lambda: fingerprint_of_files([places.labelled, places.text, places.tokenizer / TOKENIZER_FILE]),
        )
        yield Job(
            name="teacher",
            needs=("data",),
            choices=lambda: {"recipe": self._iteration().recipe, "overrides": self._iteration().overrides},
            work=lambda: iterate(self._iteration(), places.teacher.parents[2], self.say),
            result=lambda: file_fingerprint(places.teacher / WEIGHTS),
        )
        yield self._preparing("speechlm-h", ("teacher",))
        yield self._preparing("speechut", ("prepare-speechlm-h",))
        yield self._preparing("speechlm-p", ("teacher",))
        yield Job(
            name="language-model",
            needs=("prepare-speechlm-h",),
            choices=lambda: {"order": ORDER},
            work=self._count_words,
            result=lambda: fingerprint_of_files(sorted(each for each in places.language_model.iterdir())),
        )
        for language in budget.languages:
            yield self._letters(language)

    def plan(self, data: Data) -> Plan:
        """What is prepared."""
        places, budget = self.places, self.budget
        held_out = (places.manifest(STEEL_SKY, "test"), places.manifest(ASTERISK, "all"))
        sources = Sources(
            speech=self.speech,
            text=(str(places.text),),
            paired=() if data == "speechut" else (places.labelled,),
            valid=(self.valid,),
            held_out=held_out,
        )
        common: dict[str, Any] = {"sources": sources, "tokenizer": places.tokenizer, "encoder": places.teacher}
        if data == "speechlm-p":
            steps = budget.phone_steps
            return PhonePlan(**common, overrides=(*_steps(steps), f"run.validate_every={steps}"))
        if data == "speechlm-h":
            overrides = _steps(budget.text_to_unit_steps)
            return UnitPlan(kind=data, **common, layer=budget.layer, num_units=budget.num_units, overrides=overrides)
        given = places.prepared("speechlm-h")
        return UnitPlan(
            kind=data, **common, units=given / "units", text_to_unit=given / "text_to_unit" / "run" / "model"
        )

    def supervision(self, data: Data) -> list[str]:
        """What knowledge from outside went into what was prepared, a sentence each."""
        plan = self.plan(data)
        return supervision(Workshop(plan, self.places.prepared(data), self.say), plan)

    def lines(self, data: Data = "speechlm-h") -> Path:
        """The unpaired text without lines that held-out speech says, as a line store."""
        found = [each for each in (self.places.prepared(data) / TEXT).iterdir() if not each.name.startswith(VALID)]
        return found[0]

    def _get(self) -> None:
        for name in CORPORA:
            prepared = prepare_corpus(name, self.places.corpora)
            self.say(f"{name}: {'already there' if prepared.was_complete else 'ready'}")

    def _corpora(self) -> str:
        parts = [*self.speech, self.valid, *(self.places.manifest(*each) for each in _TESTED)]
        return fingerprint_of_files([*parts, self.places.corpora / "wordnet" / "text.txt"])

    def _choose(self) -> None:
        places, budget = self.places, self.budget
        cuts = list(read_cuts(places.manifest(STEEL_SKY, "train")))
        labelled = chosen_cuts(cuts, budget.labelled_minutes)
        write_cuts(CutSet.from_cuts(labelled), places.labelled)
        lines = (places.corpora / "wordnet" / "text.txt").read_text("utf-8").splitlines()
        kept = lines[budget.every_line - 1 :: budget.every_line]
        with write_atomically(places.text, "w") as handle:
            handle.writelines(f"{line}\n" for line in kept)
        CharacterTokenizer.train([*(transcript_of(cut) for cut in labelled), *kept]).save(places.tokenizer)

    def _iteration(self) -> IterationPlan:
        return IterationPlan(
            recipe="hubert_tiny_mfcc",
            overrides=_steps(self.budget.teacher_steps),
            manifests=self.speech,
            valid=(self.valid,),
            units=(self.budget.num_units,),
        )

    def _preparing(self, data: Data, needs: tuple[str, ...]) -> Job:
        out = self.places.prepared(data)

        def choices() -> dict[str, Any]:
            plan = asdict(self.plan(data))
            # Places change where the folder is moved; what lies there is known by the jobs that made it.
            return {key: value for key, value in plan.items() if isinstance(value, str | int | tuple)}

        return Job(
            name=f"prepare-{data}",
            needs=needs,
            choices=choices,
            work=lambda: prepare(self.plan(data), out, self.say),
            result=lambda: fingerprint_of_files([out / "recipe.yaml", *sorted(out.glob("*.stage.json"))]),
        )

    def _count_words(self) -> None:
        sources = [open_text(self.lines()), open_text(self.places.labelled)]
        save_ngram(build_ngram(sources, NgramConfig(order=ORDER)).model, self.places.language_model)

    def _letters(self, language: str) -> Job:
        folder = self.places.translated_tokenizer(language)

        def work() -> None:
            manifest = self.places.manifest(STEEL_SKY, "train")
            found = with_translations(read_cuts(manifest), language, str(manifest))
            CharacterTokenizer.train([transcript_of(cut) for cut in found.cuts]).save(folder)

        return Job(
            name=f"tokenizer-{language}",
            needs=("corpora",),
            choices=lambda: {"language": language},
            work=work,
            result=lambda: file_fingerprint(folder / TOKENIZER_FILE),
        )


def _steps(steps: int) -> tuple[str, ...]:
    return (f"run.steps={steps}", f"optimization.schedule.total_steps={steps}", "run.threads=1")
