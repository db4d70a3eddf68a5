import gzip
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from models.ngram.texts import ALL_WORDS, SENTENCE, TEXT, model_of
from sprachbund.errors import DataError
from sprachbund.models.ngram.arpa import read_arpa, write_arpa
from sprachbund.models.ngram.model import NgramTable, assemble, word_list_model

LN10 = math.log(10)

KENLM = """\\data\\
ngram 1=4
ngram 2=3

\\1-grams:
-1.5\t<unk>\t0
0\t<s>\t-0.25
-0.5\t</s>\t0
-0.75\thello\t-0.125

\\2-grams:
-0.1\t<s> hello
-0.2\thello </s>
-0.3\thello hello

\\end\\
"""
# No backoff where it is 0, blanks for tabs, words before the header, another order.
SRILM = """
\\data\\
ngram 1=3
ngram 2=3

\\1-grams:
-0.75 hello -0.125
-0.5 </s>
-99 <s> -0.25

\\2-grams:
-0.3 hello hello
-0.2 hello </s>
-0.1 <s> hello

\\end\\
"""
POCKETSPHINX = """This is a closed-vocabulary model.

\\data\\
ngram 1=4
ngram 2=3

\\1-grams:
-99.000 <S> -0.2500
-0.5000 </S> 0.0000
-1.5000 <UNK> 0.0000
-0.7500 hello -0.1250

\\2-grams:
-0.1000 <S> hello 0.0000
-0.2000 hello </S> 0.0000
-0.3000 hello hello 0.0000

\\end\\
"""


def written(folder: Path, text: str, name: str = "m.arpa") -> Path:
    path = folder / name
    path.write_bytes(gzip.compress(text.encode()) if name.endswith(".gz") else text.encode())
    return path


@pytest.mark.parametrize("text", [KENLM, SRILM, POCKETSPHINX, KENLM.replace("\n", "\r\n")], ids="ksp2")
@pytest.mark.parametrize("name", ["m.arpa", "m.arpa.gz"])
def test_dialects(tmp_path: Path, text: str, name: str) -> None:
    model = read_arpa(written(tmp_path, text, name))
    assert model.words == ("<unk>", "<s>", "</s>", "hello")
    assert model.counts == (4, 3)
    assert model.sentence_log_prob(["hello", "hello"]) == pytest.approx((-0.1 - 0.3 - 0.2) * LN10, abs=1e-6)
    assert model.sentence_log_prob([]) == pytest.approx((-0.25 - 0.5) * LN10, abs=1e-6)
    unknown = -100 if text is SRILM else -1.5
    assert model.sentence_log_prob(["zebra"]) == pytest.approx((-0.25 + unknown - 0.5) * LN10, abs=1e-4)
    assert model.word_log_probs()[1] == -math.inf


def test_a_file_without_a_begin_of_sentence_has_an_empty_context(tmp_path: Path) -> None:
    text = "\\data\\\nngram 1=2\nngram 2=1\n\\1-grams:\n-1 a -0.5\n-2 </s>\n\\2-grams:\n-0.25 a </s>\n\\end\\\n"
    model = read_arpa(written(tmp_path, text))
    assert model.sentence_log_prob(["a"]) == pytest.approx((-1 - 0.25) * LN10, abs=1e-6)


@given(TEXT, st.integers(1, 5), SENTENCE, st.sampled_from(["m.arpa", "m.arpa.gz"]))
@settings(deadline=None, max_examples=25)
def test_written_and_read_is_the_same_to_the_digits(tmp_path_factory, text, order, said, name) -> None:
    folder = tmp_path_factory.mktemp("arpa")
    model = model_of(text, order)
    write_arpa(model, folder / name)
    read = read_arpa(folder / name)
    assert (read.words, read.counts) == (model.words, model.counts)
    assert torch.equal(read.trie.keys, model.trie.keys)
    assert torch.equal(read.suffixes, model.suffixes)
    torch.testing.assert_close(read.log_probs, model.log_probs, rtol=0, atol=3e-6)
    write_arpa(read, folder / f"2{name}")
    assert (folder / name).read_bytes() == (folder / f"2{name}").read_bytes()


@st.composite
def tables(draw: st.DrawFn) -> list[NgramTable]:
    """Any n-grams with any numbers, some of them impossible."""
    numbers = st.floats(-30, 0) | st.just(-math.inf)
    rows = {(place,) for place in range(len(ALL_WORDS))}
    made = []
    for length in (1, 2, 3):
        if length > 1:
            longer = [(*row, word) for row in sorted(rows) for word in range(len(ALL_WORDS))]
            rows = draw(st.sets(st.sampled_from(longer), min_size=1, max_size=8))
        values = draw(st.lists(st.tuples(numbers, numbers), min_size=len(rows), max_size=len(rows)))
        log_probs, backoffs = np.array(values).T
        made.append(NgramTable(np.array(sorted(rows), dtype=np.int32), log_probs, backoffs))
    return made


@given(tables())
@settings(deadline=None, max_examples=25)
def test_any_model_is_read_as_it_was_written(tmp_path_factory, made) -> None:
    folder = tmp_path_factory.mktemp("arpa")
    made[0].log_probs[1] = -math.inf  # the begin of a sentence
    made[0].log_probs[0] = -2.0
    model = assemble(ALL_WORDS, made, facts={})
    write_arpa(model, folder / "m.arpa")
    read = read_arpa(folder / "m.arpa")
    assert torch.equal(read.trie.keys, model.trie.keys)
    for name in ("log_probs", "backoffs"):
        torch.testing.assert_close(getattr(read, name), getattr(model, name), rtol=1e-6, atol=3e-6)


@given(st.sets(st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=5), max_size=8))
@settings(deadline=None, max_examples=25)
def test_any_words_are_read_as_they_were_written(tmp_path_factory, words: set[str]) -> None:
    words = {word for word in words if " " not in word}
    path = tmp_path_factory.mktemp("arpa") / "m.arpa"
    write_arpa(word_list_model(sorted(words)), path)
    assert set(read_arpa(path).words) == {"<unk>", "<s>", "</s>"} | words


def test_words_with_white_space_are_not_written(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="white space"):
        write_arpa(word_list_model(["a b"]), tmp_path / "m.arpa")
    assert list(tmp_path.iterdir()) == []


TWICE = KENLM.replace("-0.3\thello hello", "-0.3\t<s> hello")
ORPHAN = """\\data\\
ngram 1=3
ngram 2=1
ngram 3=2

\\1-grams:
-1 <s>
-1 </s>
-1 a

\\2-grams:
-1 a a

\\3-grams:
-1 a a a
-1 a <s> a
\\end\\
"""


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (TWICE, r"line 14 \(given: <s> hello\)"),
        (ORPHAN, r"line 16 \(given: 'a <s> a' without 'a <s>'\)"),
        (KENLM.replace("-1.5\t<unk>", "-1.5\thello"), "line 9"),
        (KENLM.replace("</s>", "end"), "no end of the sentence"),
    ],
    ids=["twice", "orphan", "word", "end"],
)
def test_ngrams_that_make_no_model_are_told_with_their_line(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(DataError, match=told):
        read_arpa(written(tmp_path, text))


def test_a_word_that_is_not_utf8_is_told_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "m.arpa").write_bytes(KENLM.encode().replace(b"<unk>", b"\xff\xfe"))
    with pytest.raises(DataError, match=r"not UTF-8.*line 6"):
        read_arpa(tmp_path / "m.arpa")


def test_kenlm_agrees_on_what_we_write(tmp_path: Path) -> None:
    kenlm = pytest.importorskip("kenlm", reason="the extra kenlm is not installed")
    model = model_of([["a", "b", "c"], ["a", "b"], ["b", "a", "a"], ["c"]], 3)
    write_arpa(model, tmp_path / "m.arpa")
    theirs = kenlm.Model(str(tmp_path / "m.arpa"))
    for said in ("", "a", "a b", "c b a a b", "d zebra a", "e"):
        assert theirs.score(said) * LN10 == pytest.approx(model.sentence_log_prob(said.split()), abs=1e-4)
