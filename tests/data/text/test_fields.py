from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sprachbund.data.text.fields import IdsField, TextField, from_mapping, to_mapping
from sprachbund.tokens.vocabulary import Vocabulary

WORDS = Vocabulary(["HH", "AH"])


@given(size=st.integers(1, 2**32 - 1), fingerprint=st.text(max_size=9), is_reduced=st.booleans())
def test_fields_come_back(size: int, fingerprint: str, is_reduced: bool) -> None:
    field = IdsField(size=size, fingerprint=fingerprint, is_reduced=is_reduced)
    assert from_mapping(to_mapping(field), None) == field


def test_fields_of_symbols_and_text_come_back() -> None:
    symbols = IdsField.of_symbols(WORDS)
    assert (symbols.size, symbols.fingerprint) == (6, WORDS.fingerprint())
    assert from_mapping(to_mapping(symbols), WORDS) == symbols
    assert from_mapping(to_mapping(TextField()), None) == TextField()


@pytest.mark.parametrize(
    ("size", "dtype"), [(1, "u1"), (256, "u1"), (257, "<u2"), (1 << 16, "<u2"), ((1 << 16) + 1, "<u4")]
)
def test_ids_are_stored_as_narrow_as_they_fit(size: int, dtype: str) -> None:
    assert IdsField(size=size, fingerprint="").dtype == dtype


@pytest.mark.parametrize(
    "change",
    [
        {"form": "x"},
        {"size": 0},
        {"size": True},
        {"size": 1 << 32},
        {"fingerprint": 3},
        {"is_reduced": 1},
        {"vocabulary": "of another"},
        {"vocabulary": None},
        {"size": 7},
    ],
    ids=str,
)
def test_what_describes_no_field_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(ValueError):
        from_mapping({**to_mapping(IdsField.of_symbols(WORDS)), **change}, WORDS)


@pytest.mark.parametrize("plain", [None, [], "ids", {}])
def test_other_values_are_refused(plain: Any) -> None:
    with pytest.raises(ValueError, match="form None"):
        from_mapping(plain, None)
