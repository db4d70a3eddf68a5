from pathlib import Path

import pytest

import tiny
from experiments.preparable import LINES, USED, phone_plan, use_small_lexicon, with_texts, workshop, write_sources
from sprachbund.data.phonemes.lines import Drawing
from sprachbund.data.storage.manifest import read_cuts, write_cuts
from sprachbund.data.text.fields import IdsField, TextField
from sprachbund.data.text.store import LineStore
from sprachbund.data.text.writer import new_store
from sprachbund.errors import DataError, RecipeError
from sprachbund.experiments.preparing.text import (
    count_pairs,
    make_phones,
    make_tokenizer,
    normalize_text,
    reading_of,
)
from sprachbund.experiments.preparing.workshop import Workshop
from sprachbund.tokens.text import CharacterTokenizer, load_tokenizer

NAME, VALID = "01-text-lines", "valid-speech-valid"


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workshop:
    use_small_lexicon(monkeypatch, tmp_path)
    return workshop(phone_plan(tmp_path, phone_model=tmp_path / "unused"), tmp_path / "out")[0]


def texts(store: LineStore) -> list[str]:
    return [store.text("text", number) for number in range(len(store))]


def test_what_held_out_speech_says_is_in_the_validation_text_only(shop: Workshop) -> None:
    normalize_text(shop)
    lines = texts(LineStore(shop.text(NAME)))
    assert len(lines) == USED and "we have twelve eggs" in lines and "a cab" not in lines
    assert texts(LineStore(shop.text(VALID))) == ["a cab", "the dad had eggs"]
    assert LineStore(shop.text(NAME)).facts["left_out"] == {"said in held-out speech": 1, "without a word": 2}


def test_manifests_may_be_held_out_without_being_validated_on(tmp_path: Path) -> None:
    sources = write_sources(tmp_path)
    sources = write_sources(tmp_path, valid=(), held_out=sources.valid)
    shop, _ = workshop(phone_plan(tmp_path, sources=sources, phone_model=tmp_path), tmp_path / "out")
    normalize_text(shop)
    assert [path.name for path in sorted((tmp_path / "out" / "text").iterdir())] == [NAME]
    assert "a cab" not in texts(LineStore(shop.text(NAME)))


def test_the_tokenizer_knows_the_letters_of_the_training_text(shop: Workshop) -> None:
    normalize_text(shop)
    make_tokenizer(shop)
    made = load_tokenizer(shop.tokenizer)
    assert isinstance(made, CharacterTokenizer)
    assert not made.unknown("".join(texts(LineStore(shop.text(NAME)))))
    assert made.unknown("12") and made.unknown("C")


def test_letters_of_held_out_text_are_not_looked_at(tmp_path: Path) -> None:
    plan = phone_plan(tmp_path, phone_model=tmp_path)
    (valid,) = plan.sources.valid
    write_cuts(with_texts(read_cuts(valid), "A quiz."), valid)
    shop, _ = workshop(plan, tmp_path / "out")
    normalize_text(shop)
    make_tokenizer(shop)
    assert texts(LineStore(shop.text(VALID))) == ["a quiz", "a quiz"]
    assert load_tokenizer(shop.tokenizer).unknown("quiz") == {"q": 1, "i": 1, "z": 1}


def test_a_given_tokenizer_is_copied_and_another_one_refused(tmp_path: Path) -> None:
    tiny.character_tokenizer().save(tmp_path / "letters")
    plan = phone_plan(tmp_path, phone_model=tmp_path, tokenizer=tmp_path / "letters")
    shop, said = workshop(plan, tmp_path / "out")
    for _ in range(2):
        normalize_text(shop)
        make_tokenizer(shop)
    assert load_tokenizer(shop.tokenizer).vocabulary == tiny.character_tokenizer().vocabulary
    told = [one.rpartition(": ")[2] for one in said if one.startswith("out, ")]
    assert told == ["begins", "already there"]
    CharacterTokenizer.train(["xyz"]).save(tmp_path / "letters")
    with pytest.raises(RecipeError, match=r"other choices.*different: given"):
        make_tokenizer(shop)


def test_a_changed_text_is_refused(shop: Workshop) -> None:
    normalize_text(shop)
    Path(shop.plan.sources.text[0]).write_text("another line\n", "utf-8")
    with pytest.raises(DataError, match="a store of other lines or other settings"):
        normalize_text(shop)


def test_phones_stand_beside_the_text(shop: Workshop) -> None:
    normalize_text(shop)
    make_phones(shop, Drawing(silence=0.0), reading_of(word_positions=True), "phones")
    store = LineStore(shop.out / "phones" / NAME)
    assert store.text("phones", 1) == "SIL AH_S B_B AE_I D_E D_B IY_I D_E SIL"
    assert texts(store) == texts(LineStore(shop.text(NAME)))


def write_pairs(shop: Workshop, units: dict[str, list[list[int]]]) -> None:
    make_tokenizer(shop)
    for name, lines in units.items():
        fields = {"units": IdsField(size=9, fingerprint="x"), "text": TextField()}
        with new_store(shop.paired(name), fields) as store:
            for line in lines:
                store.add({"units": line, "text": "cat"})


def test_pairs_that_ctc_cannot_write_are_counted(shop: Workshop) -> None:
    normalize_text(shop)
    write_pairs(shop, {NAME: [[1, 2, 3], [1, 2, 3, 4], [5] * 2801], VALID: [[1]]})
    found = count_pairs(shop, "units")
    # A word mark stands before the three letters.
    assert found == {
        NAME: {"fewer units than tokens of text": 1, "longer than 2800 units": 1},
        VALID: {"fewer units than tokens of text": 1},
    }


def test_no_pair_at_all_is_refused(shop: Workshop) -> None:
    normalize_text(shop)
    write_pairs(shop, {NAME: [[1, 2], [3]], VALID: [[1, 2, 3, 4]]})
    with pytest.raises(DataError, match=r"no pair of units and text can be trained on .*2: fewer units than tokens"):
        count_pairs(shop, "units")


def test_the_lines_are_what_the_tests_say() -> None:
    assert len(LINES) == USED + 3
