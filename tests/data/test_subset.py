"""Some minutes of a corpus are the same ones wherever they are chosen."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lhotse import MonoCut
from lhotse.cut import Cut

import tiny
from commands import assert_refused, run_command
from sprachbund.data.storage.manifest import read_cuts
from sprachbund.data.subset import chosen_cuts
from sprachbund.errors import DataError

Seconds = st.lists(st.floats(0.5, 20.0), min_size=1, max_size=30)


def cuts_of(seconds: list[float]) -> list[Cut]:
    return [MonoCut(f"clip-{number}", 0.0, each, 0) for number, each in enumerate(seconds)]


@given(Seconds, st.floats(0.4, 4.0), st.floats(0.0, 2.0), st.randoms(use_true_random=False))
@settings(max_examples=50, deadline=None)
def test_fewer_minutes_are_within_more_and_the_order_does_not_matter(
    seconds: list[float], minutes: float, further: float, draw: object
) -> None:
    cuts = cuts_of(seconds)
    few, more = chosen_cuts(cuts, minutes), chosen_cuts(cuts, minutes + further)
    assert sum(cut.duration for cut in few) <= 60 * minutes + 1e-6
    assert {cut.id for cut in few} <= {cut.id for cut in more}
    assert few == [cut for cut in cuts if cut in few]
    shuffled = list(cuts)
    draw.shuffle(shuffled)  # type: ignore[attr-defined]  # a random.Random
    assert {cut.id for cut in chosen_cuts(shuffled, minutes)} == {cut.id for cut in few}


def test_all_minutes_are_everything() -> None:
    cuts = cuts_of([3.0, 4.0, 5.0])
    assert chosen_cuts(cuts, 0.2 + 1e-9) == cuts
    with pytest.raises(DataError, match=r"fewer than the first clip has \(given: 1.2 s\)"):
        chosen_cuts(cuts, 0.02)


def test_a_subset_is_a_manifest_in_any_folder(tmp_path: Path) -> None:
    manifest = tiny.write_corpus(tmp_path / "corpus", 8)
    out = tmp_path / "elsewhere" / "some.jsonl.gz"
    found = run_command("corpus", "subset", manifest, "--minutes", 0.1, "--out", out)
    chosen = list(read_cuts(out))
    assert 0 < len(chosen) < 8
    assert found.out.startswith(f"{len(chosen)} of 8 clips, ")
    assert all(cut.load_audio().size for cut in chosen)
    assert [cut.id for cut in chosen_cuts(list(read_cuts(manifest)), 0.1)] == [cut.id for cut in chosen]


def test_a_subset_does_not_replace_its_manifest(tmp_path: Path) -> None:
    manifest = tiny.write_corpus(tmp_path / "corpus", 8)
    before = manifest.read_bytes()
    found = run_command("corpus", "subset", manifest, "--minutes", 0.1, "--out", manifest)
    assert_refused(found, "would replace what it is of")
    assert_refused(run_command("corpus", "subset", manifest, "--minutes", 0, "--out", tmp_path / "x.jsonl.gz"), "0.0 s")
    assert manifest.read_bytes() == before
    assert not (tmp_path / "x.jsonl.gz").exists()
