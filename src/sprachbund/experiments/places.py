"""Where an experiment keeps what: one folder, and the corpora beside it or wherever they are."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Places:
    """Paths of one experiment."""

    out: Path
    corpora: Path

    @property
    def tokenizer(self) -> Path:
        """The character tokenizer."""
        return self.out / "tokens" / "tokenizer"

    @property
    def units(self) -> Path:
        """The unit model."""
        return self.out / "tokens" / "unit_model"

    @property
    def text(self) -> Path:
        """The text stream of pre-training."""
        return self.corpora / "wordnet" / "text.txt"

    @property
    def report(self) -> Path:
        """The report, written last."""
        return self.out / "report.html"

    def manifest(self, corpus: str, split: str) -> Path:
        """A manifest of a corpus."""
        return self.corpora / corpus / f"{split}.jsonl.gz"

    def labelled(self, split: str) -> Path:
        """Steel Sky with units."""
        return self.out / "tokens" / f"steel-sky-{split}.jsonl.gz"

    def run(self, name: str) -> Path:
        """A training run: pretrain, finetune or scratch."""
        return self.out / name

    def model(self, name: str) -> Path:
        """The model folder of a run."""
        return self.run(name) / "model"

    def evaluation(self, system: str, decoding: str, test_set: str) -> Path:
        """The figures of a system on a test set."""
        return self.out / "evaluation" / f"{system}-{decoding}-{test_set}"
