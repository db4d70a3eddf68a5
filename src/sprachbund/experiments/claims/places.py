"""Where the comparison of systems keeps what."""

from dataclasses import dataclass
from pathlib import Path

from sprachbund.experiments.claims.rows import Data

STEEL_SKY, ASTERISK = "steel-sky", "asterisk"
TEST_SETS = {STEEL_SKY: "test", ASTERISK: "all"}
"""Corpus -> the part of it that is tested on."""
SEARCHES = {"ctc": "without a language model", "lm": "with a language model"}


@dataclass(frozen=True)
class ClaimsPlaces:
    """Paths of one comparison."""

    out: Path
    corpora: Path

    @property
    def labelled(self) -> Path:
        """The little speech whose transcripts are read."""
        return self.out / "data" / "steel-sky-labelled.jsonl.gz"

    @property
    def text(self) -> Path:
        """The unpaired text."""
        return self.out / "data" / "wordnet.txt"

    @property
    def tokenizer(self) -> Path:
        """The letters of English."""
        return self.out / "data" / "tokenizer"

    @property
    def language_model(self) -> Path:
        """The word 4-gram of decoding."""
        return self.out / "data" / "language-model"

    @property
    def teacher(self) -> Path:
        """The encoder whose frames become units."""
        return self.out / "teacher" / "iteration-1" / "run" / "model"

    @property
    def figures(self) -> Path:
        """All figures, as JSON."""
        return self.out / "figures.json"

    def translated_tokenizer(self, language: str) -> Path:
        """The letters of another language."""
        return self.out / "data" / f"tokenizer-{language}"

    def manifest(self, corpus: str, part: str) -> Path:
        """A manifest of a corpus."""
        return self.corpora / corpus / f"{part}.jsonl.gz"

    def prepared(self, data: Data) -> Path:
        """What `sprachbund prepare` makes."""
        return self.out / "prepared" / data

    def note(self, job: str) -> Path:
        """What says that a job is done, and of what."""
        return self.out / "notes" / f"{job}.stage.json"

    def lock(self, job: str) -> Path:
        """Held by the process that does a job."""
        return self.out / "notes" / f"{job}.lock"

    def log(self, job: str) -> Path:
        """What a job says."""
        return self.out / "logs" / f"{job}.log"

    def run(self, job: str) -> Path:
        """A training."""
        return self.out / "runs" / job

    def model(self, job: str) -> Path:
        """The model folder of a training."""
        return self.run(job) / "model"

    def settings(self, row: str) -> Path:
        """The tuned search of a row."""
        return self.out / "settings" / f"{row}.json"

    def evaluation(self, row: str, seed: int, test_set: str, search: str) -> Path:
        """The error rates of a system on a test set."""
        return self.out / "evaluation" / row / f"{seed}-{test_set}-{search}"

    def translations(self, row: str, language: str, seed: int) -> Path:
        """The translations of a system, with their scores."""
        return self.out / "evaluation" / row / f"{seed}-{language}.json"
