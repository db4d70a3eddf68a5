"""The tests of a row: the search tuned once, then error rates and translations of every seed."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sprachbund.config import to_mapping
from sprachbund.data.storage.manifest import read_cuts
from sprachbund.data.translations import with_translations
from sprachbund.decoding.recognition.config import DecodingConfig, FusedModel
from sprachbund.decoding.translation import translation_search
from sprachbund.evaluation.evaluate import CLIPS_FILE, FIGURES_FILE, evaluate, save_evaluation
from sprachbund.evaluation.translation import save_translations, score_translations
from sprachbund.evaluation.tuning import EncodedClips, choose_clips, tune
from sprachbund.experiments.claims.places import SEARCHES, STEEL_SKY, TEST_SETS
from sprachbund.experiments.claims.training import Training
from sprachbund.experiments.claims.work import Job, fingerprint_of_files
from sprachbund.serving.load import load
from sprachbund.serving.manifests import decode_cuts
from sprachbund.serving.settings import read_settings, write_settings
from sprachbund.serving.translating import load_translator

LM_WEIGHT, LENGTH_BONUS = 0.3, 1.0  # where tuning begins


@dataclass(frozen=True)
class RowEvaluation:
    """The jobs of one row that test."""

    training: Training

    @property
    def tuning(self) -> str:
        """The name of the job."""
        return f"{self.training.row.name}-tuning"

    def tune(self) -> Job:
        """The weights of the language model and of length, tuned on dev with the first seed; all seeds use them."""
        shared = self.training.shared
        settings = shared.places.settings(self.training.row.name)
        return Job(
            name=self.tuning,
            needs=("language-model", "corpora", self.training.recognition(shared.budget.seeds[0])),
            choices=lambda: {
                "clips": shared.budget.tuning_clips,
                "trials": shared.budget.tuning_trials,
                "start": [LM_WEIGHT, LENGTH_BONUS],
            },
            work=self._tune,
            result=lambda: fingerprint_of_files([settings]),
        )

    def recognition(self, seed: int) -> Job:
        """Error rates on both test sets, with and without the language model."""
        shared, row = self.training.shared, self.training.row
        folders = [shared.places.evaluation(row.name, seed, *each) for each in _kinds()]
        files = [folder / name for folder in folders for name in (FIGURES_FILE, CLIPS_FILE)]
        return Job(
            name=f"{row.name}-test-{seed}",
            needs=("language-model", "corpora", self.tuning, self.training.recognition(seed)),
            choices=lambda: {"clips": shared.budget.test_clips},
            work=lambda: self._recognize(seed),
            result=lambda: fingerprint_of_files(files),
        )

    def translation(self, language: str, seed: int) -> Job:
        """BLEU on Steel Sky test."""
        shared, row = self.training.shared, self.training.row
        search = to_mapping(translation_search())
        return Job(
            name=f"{row.name}-{language}-test-{seed}",
            needs=("corpora", self.training.translation(language, seed)),
            choices=lambda: {"clips": shared.budget.test_clips, "search": search},
            work=lambda: self._translate(language, seed),
            result=lambda: fingerprint_of_files([shared.places.translations(row.name, language, seed)]),
        )

    def _tune(self) -> None:
        shared = self.training.shared
        places, budget = shared.places, shared.budget
        model = places.model(self.training.recognition(budget.seeds[0]))
        start = DecodingConfig(
            method="ctc-beam",
            language_models=(FusedModel(path=str(places.language_model), weight=LM_WEIGHT),),
            length_bonus=LENGTH_BONUS,
        )
        recognizer = load(model)
        recognizer.prepare(start)
        clips = EncodedClips(recognizer, choose_clips(list(read_cuts(shared.valid)), budget.tuning_clips), start)
        tuned = tune(clips.decode, start, metric="cer", max_trials=budget.tuning_trials)
        facts = {"metric": "cer", "clips": budget.tuning_clips, "trials": len(tuned.trials)}
        write_settings(places.settings(self.training.row.name), tuned.config, facts)

    def _recognize(self, seed: int) -> None:
        shared, row = self.training.shared, self.training.row
        recognizer = load(shared.places.model(self.training.recognition(seed)))
        for test_set, search in _kinds():
            is_plain = search == "ctc"
            config = DecodingConfig() if is_plain else read_settings(shared.places.settings(row.name))
            recognizer.prepare(config)
            decoded = decode_cuts(recognizer, self._clips(test_set), config)
            triples = zip(decoded.ids, decoded.references, decoded.hypotheses, strict=True)
            rate = decoded.blank_rate if is_plain else None
            result = evaluate(triples, blank_rate=rate, seconds=decoded.audio_seconds)
            save_evaluation(result, shared.places.evaluation(row.name, seed, test_set, search))
            shared.say(f"{test_set}, {search}: WER {result.wer.rate:.3f}, CER {result.cer.rate:.3f}")

    def _translate(self, language: str, seed: int) -> None:
        shared, config = self.training.shared, translation_search()
        translator = load_translator(shared.places.model(self.training.translation(language, seed)))
        translator.prepare(config)
        cuts = self._clips(STEEL_SKY)
        found = with_translations(cuts, language, str(shared.places.manifest(STEEL_SKY, TEST_SETS[STEEL_SKY])))
        decoded = decode_cuts(translator, list(found.cuts), config)
        triples = zip(decoded.ids, decoded.references, decoded.hypotheses, strict=True)
        result = score_translations(triples, target=language)
        save_translations(result, shared.places.translations(self.training.row.name, language, seed))
        shared.say(", ".join(f"{score.metric} {score.value:.1f}" for score in result.scores))

    def _clips(self, test_set: str) -> list[Any]:
        shared = self.training.shared
        cuts = list(read_cuts(shared.places.manifest(test_set, TEST_SETS[test_set])))
        most = shared.budget.test_clips
        return cuts if most is None else choose_clips(cuts, most)


def _kinds() -> Iterator[tuple[str, str]]:
    for test_set in TEST_SETS:
        for search in SEARCHES:
            yield test_set, search
