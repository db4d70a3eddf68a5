import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import tiny
from sprachbund.errors import RecipeError, VocabularyError
from sprachbund.tokens.phone_labels import DESCRIPTION_FILE, RATES, PhoneLabels, load_unit_labels
from sprachbund.tokens.phones import PHONES, PLACES

labels = st.builds(PhoneLabels, st.booleans(), st.sampled_from(RATES), st.text(max_size=5))


@given(labels)
def test_every_symbol_has_its_id(made: PhoneLabels) -> None:
    assert [made.id_of(symbol) for symbol in made.symbols] == list(range(made.num_units))
    assert made.symbols[made.id_of(None)] == "SPN"
    assert made.num_units == (158 if made.has_places else 41)


@given(st.sampled_from(PHONES), st.sampled_from(PLACES), st.sampled_from(["", "0", "1", "2"]), st.booleans())
def test_phones_of_other_aligners_have_the_same_ids(phone: str, place: str, stress: str, is_small: bool) -> None:
    symbol = f"{phone}{stress}{place}" if stress and phone[0] in "AEIOU" else phone + place
    symbol = symbol.lower() if is_small else symbol
    assert PhoneLabels().id_of(symbol) == PhoneLabels().id_of(phone)
    placed = PhoneLabels(has_places=True)
    assert placed.symbols[placed.id_of(symbol)] == phone + place


@pytest.mark.parametrize(
    ("symbol", "name"), [("sil", "SIL"), ("", "SIL"), ("sp", "SIL"), ("spn", "SPN"), ("<unk>", "SPN"), ("NSN", "SPN")]
)
@pytest.mark.parametrize("has_places", [False, True])
def test_silence_and_noise_have_no_place(symbol: str, name: str, has_places: bool) -> None:
    made = PhoneLabels(has_places)
    assert made.symbols[made.id_of(symbol)] == name


@pytest.mark.parametrize(
    ("has_places", "symbol", "told"),
    [(False, "ʃ", "ARPAbet"), (True, "AH", "--word-positions"), (True, "ʃ_B", "ARPAbet")],
    ids=["IPA", "no place", "IPA with a place"],
)
def test_other_symbols_are_refused(has_places: bool, symbol: str, told: str) -> None:
    with pytest.raises(VocabularyError, match=told):
        PhoneLabels(has_places).id_of(symbol)


def test_what_is_saved_is_loaded(tmp_path: Path) -> None:
    made = [PhoneLabels(places, rate, aligner) for places in (False, True) for rate in RATES for aligner in ("", "ab")]
    for number, one in enumerate(made):
        one.save(tmp_path / str(number))
        assert PhoneLabels.load(tmp_path / str(number)) == one
        assert load_unit_labels(tmp_path / str(number)) == one
    assert len({one.fingerprint for one in made}) == len(made)
    assert [made[0].label_rate, made[0].frame_shift] == [100.0, 0.01]


def test_a_unit_model_is_loaded_as_one(tmp_path: Path) -> None:
    tiny.unit_model().save(tmp_path)
    assert load_unit_labels(tmp_path) == tiny.unit_model()
    with pytest.raises(VocabularyError, match="a unit model cannot be read"):
        load_unit_labels(tmp_path / "nothing")


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("rate", 33),
        ("rate", None),
        ("rate", 25),
        ("symbols", []),
        ("symbols", 3),
        ("aligner", "other"),
        ("fingerprint", ""),
    ],
)
def test_damaged_labels_are_told(tmp_path: Path, key: str, value: object) -> None:
    PhoneLabels().save(tmp_path)
    path = tmp_path / DESCRIPTION_FILE
    path.write_text(json.dumps({**json.loads(path.read_text("utf-8")), key: value}), "utf-8")
    with pytest.raises(VocabularyError, match=r"are damaged|of other symbols"):
        PhoneLabels.load(tmp_path)


@pytest.mark.parametrize("content", ["", "[]", "{", "null", "[" * 5000])
def test_other_files_are_told(tmp_path: Path, content: str) -> None:
    (tmp_path / DESCRIPTION_FILE).write_text(content, "utf-8")
    with pytest.raises(VocabularyError, match="are damaged"):
        load_unit_labels(tmp_path)
    with pytest.raises(VocabularyError, match="cannot be read"):
        PhoneLabels.load(tmp_path / "nothing")


def test_other_rates_are_refused() -> None:
    with pytest.raises(RecipeError, match="100, 50, 25"):
        PhoneLabels(rate=33)
