import shutil
from pathlib import Path

import pytest
import torch

import recognizers
import tiny
from sprachbund.decoding.language.automata import Automaton
from sprachbund.decoding.language.models import load_language_model, load_lexicon
from sprachbund.decoding.search.roles import Scorer
from sprachbund.errors import CheckpointError, DataError, RecipeError, SprachbundError, VocabularyError
from sprachbund.tokens.vocabulary import EOS

TOKENIZER = tiny.character_tokenizer()
CPU = torch.device("cpu")


def score_of(scorer: Scorer, text: str) -> float:
    """The log-probability of a whole sentence."""
    total, last = 0.0, EOS
    for token in (*TOKENIZER.encode(text), EOS):
        total += float(scorer.score(torch.tensor([last]))[0, token])
        last = token
    return total


def test_a_neural_model_is_a_scorer_of_the_recognisers_tokens(tmp_path: Path):
    loaded = load_language_model(recognizers.write_language_model(tmp_path / "lm"), TOKENIZER)
    assert (loaded.name, loaded.automaton) == ("lm", None)
    scorer = loaded.scorer(2, CPU)
    assert isinstance(scorer, Scorer)
    log_probs = scorer.score(torch.tensor([EOS, EOS]))
    assert log_probs.shape == (2, len(TOKENIZER.vocabulary))
    assert torch.equal(log_probs[0], log_probs[1])
    assert log_probs[:, TOKENIZER.vocabulary.blank_id].tolist() == [-torch.inf] * 2
    assert score_of(loaded.scorer(1, CPU), "bad cab") == pytest.approx(score_of(loaded.scorer(1, CPU), "bad cab"))


def test_an_n_gram_model_is_an_automaton_and_a_scorer(tmp_path: Path):
    loaded = load_language_model(recognizers.write_arpa(tmp_path / "words.arpa"), TOKENIZER)
    assert loaded.name == "ngram"
    assert isinstance(loaded.automaton, Automaton)
    # log10 p(bad | <s>) + p(cab | bad) + p(</s> | cab)
    assert score_of(loaded.scorer(1, CPU), "bad cab") == pytest.approx(-1.3 * 2.302585, abs=1e-4)
    # p(a | <s>) + back off from a + p(</s>)
    assert score_of(loaded.scorer(1, CPU), "a") == pytest.approx(-2.1 * 2.302585, abs=1e-4)


def test_a_lexicon_forbids_and_says_nothing_else(tmp_path: Path):
    lexicon = load_lexicon(recognizers.write_lexicon(tmp_path / "words.txt"), TOKENIZER)
    assert lexicon.name == "lexicon"
    for text in ("bad", "cab a deed", "ace ace", "fed"):
        assert score_of(lexicon.scorer(1, CPU), text) == 0.0
    for text in ("dab", "bad ca", "cabs", "be"):
        assert score_of(lexicon.scorer(1, CPU), text) == -torch.inf


def test_words_of_a_lexicon_are_written_like_transcripts(tmp_path: Path):
    (tmp_path / "words.txt").write_text("Bad!\nCAB, ace\n\n  deed  \n", "utf-8")
    lexicon = load_lexicon(tmp_path / "words.txt", TOKENIZER)
    assert score_of(lexicon.scorer(1, CPU), "bad cab ace deed") == 0.0


@pytest.mark.parametrize("content", [b"", b" \n\n", b"?!\n", "größe".encode("latin-1")])
def test_a_lexicon_without_words_is_refused(content: bytes, tmp_path: Path):
    (tmp_path / "words.txt").write_bytes(content)
    with pytest.raises(SprachbundError, match=r"lexicon.*words\.txt"):
        load_lexicon(tmp_path / "words.txt", TOKENIZER)
    with pytest.raises(RecipeError, match="lexicon cannot be read"):
        load_lexicon(tmp_path, TOKENIZER)


def test_what_is_no_language_model_is_named(tmp_path: Path):
    with pytest.raises(CheckpointError, match=r"no language model.*none.*sprachbund lm"):
        load_language_model(tmp_path / "none", TOKENIZER)
    with pytest.raises(CheckpointError, match="this is no language model"):
        load_language_model(tiny.write_model_folder(tmp_path / "model"), TOKENIZER)
    (tmp_path / "empty").mkdir()
    with pytest.raises(CheckpointError, match="empty"):
        load_language_model(tmp_path / "empty", TOKENIZER)
    (tmp_path / "broken.arpa").write_text("\\data\\\nngram 1=x\n")
    with pytest.raises(SprachbundError, match=r"broken\.arpa"):
        load_language_model(tmp_path / "broken.arpa", TOKENIZER)
    (tmp_path / "notes.txt").write_text("no model")
    with pytest.raises(SprachbundError, match=r"notes\.txt"):
        load_language_model(tmp_path / "notes.txt", TOKENIZER)


def test_models_of_other_letters_are_refused(tmp_path: Path):
    folder = recognizers.write_language_model(tmp_path / "lm", letters="uvwxyz")
    with pytest.raises(VocabularyError, match="another vocabulary"):
        load_language_model(folder, TOKENIZER)
    text = recognizers.ARPA.replace("bad", "дом").replace("cab", "кот").replace("deed", "снег").replace("\ta", "\tя")
    (tmp_path / "other.arpa").write_text(text.replace(" a\n", " и\n").replace(" a ", " и "), "utf-8")
    with pytest.raises((VocabularyError, DataError), match=r"\."):
        load_language_model(tmp_path / "other.arpa", TOKENIZER)


def test_a_language_model_without_its_tokenizer_is_refused(tmp_path: Path):
    folder = recognizers.write_language_model(tmp_path / "lm")
    shutil.rmtree(folder / "tokenizer")
    with pytest.raises(CheckpointError, match="tokenizer"):
        load_language_model(folder, TOKENIZER)
