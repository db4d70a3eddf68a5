import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lhotse.supervision import AlignmentItem
from lhotse.utils import fastcopy

import tiny
from aligned_files import Tier, phones, round_trip, tiers
from sprachbund.data.exporters.textgrid import export_textgrid
from sprachbund.data.storage.manifest import read_cuts, write_cuts
from sprachbund.errors import DataError

texts = st.one_of(
    st.sampled_from(['say "this"', '"', "<exists>", "4", "two words"]),
    st.text(min_size=1, max_size=6).filter(lambda text: text.strip() == text),
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(tiers(texts), tiers(phones()))
def test_what_is_exported_is_imported(tmp_path: Path, words: Tier, sounds: Tier) -> None:
    round_trip(Path(tempfile.mkdtemp(dir=tmp_path)), "textgrid", words, sounds)


def test_intervals_fill_the_cut(tmp_path: Path) -> None:
    (cut,) = read_cuts(tiny.write_corpus(tmp_path, 1, samples=[16_000]))
    tiers = {"phone": [AlignmentItem("AH_B", 0.25, 0.25), AlignmentItem("SIL", 0.51, 0.24)]}
    said = fastcopy(cut.supervisions[0], alignment=tiers)
    write_cuts([fastcopy(cut, supervisions=[said])], tmp_path / "aligned.jsonl")
    assert export_textgrid([tmp_path / "aligned.jsonl"], tmp_path / "out") == "TextGrids of 1 cuts"
    lines = (tmp_path / "out" / f"{cut.id}.TextGrid").read_text("utf-8").splitlines()
    values = [line.split(" = ")[1] for line in lines if line.startswith("            ")]
    assert values == [
        *("0.0", "1.0", '""'),
        *(
            "0.0",
            "0.25",
            '""',
            "0.25",
            "0.5",
            '"AH_B"',
            "0.5",
            "0.51",
            '""',
            "0.51",
            "0.75",
            '"SIL"',
            "0.75",
            "1.0",
            '""',
        ),
    ]


@pytest.mark.parametrize(
    ("items", "told"),
    [
        ([AlignmentItem(" ", 0.1, 0.1)], "white space around it"),
        ([AlignmentItem("a", 0.1, 0.1), AlignmentItem("b", 0.15, 0.1)], "overlap"),
    ],
    ids=["blank", "overlap"],
)
def test_what_a_tier_cannot_hold_is_refused(tmp_path: Path, items: Tier, told: str) -> None:
    with pytest.raises(DataError, match=told):
        round_trip(tmp_path, "textgrid", items, [])
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("name", ["a/b", "..", ".hidden", "x" * 300], ids=["slash", "parent", "hidden", "long"])
def test_ids_that_are_no_names_of_files_are_refused(tmp_path: Path, name: str) -> None:
    (cut,) = read_cuts(tiny.write_corpus(tmp_path, 1))
    said = fastcopy(cut.supervisions[0], alignment={"phone": [AlignmentItem("AH", 0.0, 0.1)]})
    write_cuts([fastcopy(cut, id=name, supervisions=[said])], tmp_path / "aligned.jsonl")
    with pytest.raises(DataError, match="no name of a file"):
        export_textgrid([tmp_path / "aligned.jsonl"], tmp_path / "out")
