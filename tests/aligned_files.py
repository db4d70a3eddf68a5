"""A manifest with drawn words and phones, taken through an export and an import."""

from pathlib import Path

from hypothesis import strategies as st
from lhotse.supervision import AlignmentItem
from lhotse.utils import fastcopy

import importing
import tiny
from sprachbund.data.exporters.registry import export_corpus
from sprachbund.data.phones import PHONE, WORD, items_of
from sprachbund.data.storage.manifest import read_cuts, write_cuts

Tier = list[AlignmentItem]
SILENCES = ("SIL", "SPN")


@st.composite
def tiers(draw: st.DrawFn, symbols: st.SearchStrategy[str]) -> Tier:
    """Items one after another in 0.35 s, with gaps here and there; times are those of aligners or any."""
    step = draw(st.sampled_from([0.01, 0.0123, 1 / 300]))
    spans = draw(st.lists(st.tuples(st.integers(0, 3), st.integers(1, 5), symbols), max_size=7))
    items, place = [], 0
    for gap, length, symbol in spans:
        start, end = (round(step * (place + offset), 8) for offset in (gap, gap + length))
        items.append(AlignmentItem(symbol, start, round(end - start, 8)))
        place += gap + length
    return [item for item in items if item.end <= 0.35]


def phones() -> st.SearchStrategy[str]:
    """Symbols of aligners, with places in the word, and silence."""
    placed = st.sampled_from(["AH", "S", "ZH"]).flatmap(
        lambda phone: st.sampled_from([phone, *(f"{phone}_{p}" for p in "BIES")])
    )
    return st.one_of(placed, st.sampled_from(SILENCES))


def round_trip(folder: Path, name: str, words: Tier, sounds: Tier) -> None:
    """Both tiers of the second of three cuts are the same after an export and an import onto the bare manifest."""
    bare = tiny.write_corpus(folder / "bare", 3)
    first, second, third = read_cuts(bare)
    said = fastcopy(second.supervisions[0], alignment={WORD: words, PHONE: sounds})
    other = fastcopy(third.supervisions[0], alignment={PHONE: [AlignmentItem("AH", 0.0, 0.1)]})
    cuts = [first, fastcopy(second, supervisions=[said]), fastcopy(third, supervisions=[other])]
    write_cuts(cuts, folder / "bare" / "aligned.jsonl.gz")
    export_corpus(name, [folder / "bare" / "aligned.jsonl.gz"], folder / "out")
    back = importing.imported(name, folder / "out", folder / "back", manifest=bare)
    for cut in cuts:
        for tier in (WORD, PHONE):
            assert items_of(back[cut.id], tier) == items_of(cut, tier)
