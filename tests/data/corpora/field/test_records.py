from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from sprachbund.data.corpora.field.records import LEFT_OUT, MISSING, UNTRANSCRIBED, compare, places, visible

ids = st.sets(st.text("abc", min_size=1, max_size=2))


@given(named=ids, audio=ids, others=ids)
def test_every_id_is_taken_or_has_one_problem(named: set[str], audio: set[str], others: set[str]) -> None:
    taken = named & audio & others
    found = compare(named, audio, taken)
    told = [name for names in found.values() for name in names]
    assert sorted(told) == sorted((named | audio) - taken)
    assert all(names == sorted(names) and names for names in found.values())
    assert set(found) <= {MISSING, UNTRANSCRIBED, LEFT_OUT}


def test_places_are_the_folder_and_its_visible_folders(tmp_path: Path) -> None:
    for name in ("b", "a", ".cache"):
        (tmp_path / name).mkdir()
    (tmp_path / "file").write_text("")
    assert places(tmp_path) == [tmp_path, tmp_path / "a", tmp_path / "b"]


def test_hidden_files_are_passed_by() -> None:
    assert visible([Path("x/b"), Path("x/._a"), Path("x/a")]) == [Path("x/a"), Path("x/b")]
