from pathlib import Path

import pytest

import tiny
from line_work import MODEL, write_units
from sprachbund.data.storage.manifest import read_cuts
from sprachbund.data.text import encoding, unit_lines
from sprachbund.data.text.blocks import Work
from sprachbund.data.text.encoding import Made
from sprachbund.data.text.store import LineStore
from sprachbund.data.text.unit_lines import (
    PairEncoding,
    UnitEncoding,
    UnitSource,
    paired_lines,
    spoken_lines,
)
from sprachbund.data.text.unit_lines import unit_lines as lines_of_units
from sprachbund.data.units import load_units
from sprachbund.errors import DataError, VocabularyError
from sprachbund.tokens.vocabulary import Vocabulary

PAIRS = [([0, 5, 5, 1, 2], "ab"), ([], "ab"), ([1], "ab"), ([3] * 9, "cab"), ([2, 2, 2, 1], ""), ([1, 2, 3], "ba")]


@pytest.fixture(params=["memory", "cache"])
def where(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Lines are made in memory, and in the cache where they are many."""
    monkeypatch.setenv("SPRACHBUND_CACHE", str(tmp_path / "cache"))
    if request.param == "cache":
        for module in (encoding, unit_lines):
            monkeypatch.setattr(module, "SMALL", 0)
    return str(request.param)


def values(made: Made, name: str = "units") -> list[list[int]]:
    return [made.lines.tokens(name, number).tolist() for number in range(len(made.lines))]


def test_pairs_become_dictionary_ids_and_tokens(tmp_path: Path, where: str) -> None:
    tokenizer = tiny.character_tokenizer()
    tokenizer.save(tmp_path / "tokenizer")
    source = UnitSource(store=write_units(tmp_path / "store", PAIRS), fingerprint=MODEL)
    made = paired_lines(source, tmp_path / "tokenizer", max_units=8)
    assert isinstance(made.lines, LineStore) == (where == "cache")
    assert values(made) == [[4, 9, 9, 5, 6], [5, 6, 7]]
    assert values(made, "tokens") == [tokenizer.encode("ab"), tokenizer.encode("ba")]
    left_out = {"empty": 2, "fewer units than tokens of text": 1, "longer than 8 units": 1}
    assert dict(made.left_out) == left_out
    assert isinstance(PairEncoding(source=source, tokenizer=tmp_path / "tokenizer", max_units=8), Work)


@pytest.mark.parametrize(
    ("count", "text", "is_kept"), [(4, "bad", True), (3, "bad", False), (5, "ebb", True), (4, "ebb", False)]
)
def test_ctc_needs_a_unit_for_each_token_and_one_between_equal_ones(
    tmp_path: Path, count: int, text: str, is_kept: bool
) -> None:
    """With its word mark, "|bad" has four tokens, and so has "|ebb", which wants a blank in it."""
    tiny.character_tokenizer().save(tmp_path / "tokenizer")
    source = UnitSource(store=write_units(tmp_path / "store", [([1, 2, 3, 4, 5][:count], text)]))
    made = paired_lines(source, tmp_path / "tokenizer")
    assert (len(made.lines), dict(made.left_out)) == (
        is_kept,
        {} if is_kept else {"fewer units than tokens of text": 1},
    )


def test_units_alone_become_dictionary_ids(tmp_path: Path, where: str) -> None:
    source = UnitSource(store=write_units(tmp_path / "store", PAIRS))
    made = lines_of_units(source, max_units=5)
    assert values(made) == [[4, 9, 9, 5, 6], [5], [6, 6, 6, 5], [5, 6, 7]]
    assert dict(made.left_out) == {"empty": 1, "longer than 5 units": 1}
    if isinstance(made.lines, LineStore):
        assert made.lines.ids_field("units").size == 10
    assert isinstance(UnitEncoding(source=source, max_units=5), Work)


@pytest.mark.parametrize("where", ["memory", "cache"], indirect=True)
def test_symbols_keep_the_ids_of_their_dictionary(tmp_path: Path, where: str) -> None:
    phones = Vocabulary(["HH", "AH"])
    store = write_units(tmp_path / where, [([4, 5], "a")], size=6, vocabulary=phones, fingerprint=phones.fingerprint())
    assert values(lines_of_units(UnitSource(store=store))) == [[4, 5]]


def test_units_of_other_models_and_of_another_form_are_refused(tmp_path: Path) -> None:
    store = write_units(tmp_path / "store", PAIRS, is_reduced=True)
    for source, told in (
        (UnitSource(store=store, fingerprint="another"), "made by something else"),
        (UnitSource(store=store, is_reduced=False), "these are reduced units, the training wants units of every frame"),
    ):
        with pytest.raises(VocabularyError, match=told):
            lines_of_units(source)
        with pytest.raises(VocabularyError, match=told):
            paired_lines(source, tmp_path)
    whole = UnitSource(store=write_units(tmp_path / "whole", PAIRS), is_reduced=True)
    with pytest.raises(VocabularyError, match="these are units of every frame, the training wants reduced"):
        lines_of_units(whole)
    with pytest.raises(DataError, match="holds text, not ids"):
        lines_of_units(UnitSource(store=store, field="text"))
    with pytest.raises(DataError, match="no such field"):
        paired_lines(UnitSource(store=store), tmp_path, text="words")


@pytest.mark.parametrize("is_reduced", [False, True])
def test_units_of_speech_are_those_of_the_cuts(tmp_path: Path, where: str, is_reduced: bool) -> None:
    model = tiny.unit_model()
    manifest = tiny.write_corpus(tmp_path, 5, units=model)
    spoken = [load_units(cut, model.fingerprint).tolist() for cut in read_cuts(manifest)]
    if is_reduced:
        spoken = [
            [unit for unit, before in zip(units, [None, *units], strict=False) if unit != before] for units in spoken
        ]
    limit = sorted(map(len, spoken))[-2]
    made = spoken_lines(manifest, model.fingerprint, model.num_units, max_units=limit, is_reduced=is_reduced)
    assert isinstance(made.lines, LineStore) == (where == "cache")
    assert values(made) == [[unit + 4 for unit in units] for units in spoken if len(units) <= limit]
    assert dict(made.left_out) == {f"longer than {limit} units": 1}
    again = spoken_lines(manifest, model.fingerprint, model.num_units, max_units=limit, is_reduced=is_reduced)
    assert values(again) == values(made)
    assert again.left_out == made.left_out


def test_speech_of_another_model_or_without_units_is_refused(tmp_path: Path) -> None:
    model = tiny.unit_model()
    with pytest.raises(VocabularyError, match="another unit model"):
        spoken_lines(tiny.write_corpus(tmp_path / "a", 1, units=model), "another", 6)
    with pytest.raises(VocabularyError, match="has no units"):
        spoken_lines(tiny.write_corpus(tmp_path / "b", 1), model.fingerprint, 6)
