import io
from pathlib import Path

import pytest
from rich.console import Console

import tiny
from sprachbund.config import apply_overrides
from sprachbund.errors import DataError
from sprachbund.experiments.places import Places
from sprachbund.experiments.plan import PLANS
from sprachbund.experiments.stages import STAGES, Experiment, _set


@pytest.mark.parametrize("name", ["plain", "with space", "a,b", "[x]", "a: b", "ä#1", "it's"])
def test_any_path_survives_as_an_override(name):
    assert apply_overrides({}, [_set("a.b", [Path(name)])]) == {"a": {"b": [name]}}


def test_stages_have_names_of_their_own():
    names = [name for name, _ in STAGES]
    assert len(set(names)) == len(names)


@pytest.fixture
def experiment(tmp_path: Path) -> Experiment:
    """One whose corpora are there, and sound."""
    for corpus in ("steel-sky", "asterisk"):
        for number, split in enumerate(("train", "dev", "test")):
            samples = [8000 + 200 * number + 50 * clip for clip in range(2)]
            tiny.write_corpus(tmp_path / corpus, name=split, samples=samples, texts=split == "train")
    tiny.write_text(tmp_path / "wordnet")
    return Experiment(PLANS["demo"], Places(tmp_path / "out", tmp_path), Console(file=io.StringIO(), width=200))


def test_sound_corpora_are_told_in_a_line_each(experiment: Experiment):
    experiment.check_corpora()
    told = experiment.console.file.getvalue()  # type: ignore[attr-defined]
    assert "steel-sky train: 2 clips, 0.02 minutes, 3 words" in told
    assert "wordnet text: " in told
    assert "asterisk dev: 2 clips" in told
    assert told.count("\n") == 7


def test_what_is_trained_on_may_not_be_tested_on(experiment: Experiment):
    tiny.write_corpus(experiment.places.corpora / "asterisk", name="test", samples=[8000, 8050])
    with pytest.raises(DataError, match=r"held-out-text 2, held-out-audio 2.*get it again"):
        experiment.check_corpora()


def test_a_damaged_recording_ends_the_experiment(experiment: Experiment):
    (experiment.places.corpora / "steel-sky" / "audio" / "dev-001.wav").write_bytes(b"RIFF")
    with pytest.raises(DataError, match=r"unreadable-audio 1 .*dev-001\.wav"):
        experiment.check_corpora()
