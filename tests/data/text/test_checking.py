import json
from pathlib import Path

import pytest

from line_work import write_units
from sprachbund.data.text.checking import check_store, describe_fields
from sprachbund.data.text.fields import IdsField
from sprachbund.data.text.store import LineStore
from sprachbund.data.text.writer import new_store
from sprachbund.errors import DataError
from sprachbund.tokens.vocabulary import Vocabulary


def test_a_sound_store_is_described(tmp_path: Path) -> None:
    store = write_units(tmp_path / "store", [([1, 2], "ä")], fingerprint="f" * 64, is_reduced=True)
    expected = {"units": f"2 ids of 6 units, fingerprint {'f' * 16}, reduced", "text": "2 bytes of text"}
    assert describe_fields(LineStore(store)) == expected
    assert check_store(store) == f"1 lines; {expected['units']}; {expected['text']}"
    with new_store(tmp_path / "phones", {"phones": IdsField.of_symbols(Vocabulary(["HH"]))}) as writer:
        writer.add({"phones": [4]})
    assert "1 ids of 5 symbols" in check_store(tmp_path / "phones")


@pytest.mark.parametrize("name", ["units.items", "units.ends", "text.items", "text.ends"])
def test_a_changed_byte_is_found(tmp_path: Path, name: str) -> None:
    path = write_units(tmp_path / "store", [([1, 2], "abc"), ([3], "d")]) / name
    content = bytearray(path.read_bytes())
    content[0] ^= 1
    path.write_bytes(content)
    with pytest.raises(DataError, match=f"not the one .*{name}"):
        check_store(tmp_path / "store")


def test_a_description_without_digests_is_found(tmp_path: Path) -> None:
    path = write_units(tmp_path / "store", [([1, 2], "abc")]) / "store.json"
    for digests in ({}, {"../other": "x"}, {"units.items": 3}):
        path.write_text(json.dumps({**json.loads(path.read_text()), "digests": digests}))
        with pytest.raises(DataError, match="not the one"):
            check_store(tmp_path / "store")
