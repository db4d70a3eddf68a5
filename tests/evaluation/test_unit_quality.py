"""Figures of units against written-out sums and against laws."""

import math
from collections import Counter
from dataclasses import astuple
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from lhotse import CutSet
from lhotse.supervision import AlignmentItem
from lhotse.utils import fastcopy

import tiny
from sprachbund.data.units import attach_units, load_units
from sprachbund.errors import DataError, VocabularyError
from sprachbund.evaluation.unit_quality import Counts, PhoneFigures, quality_of, unit_quality
from sprachbund.tokens.phones import SILENCE

PHONES = ("AA", "B", "CH", SILENCE)
Pairs = list[tuple[str, int]]
pairs = st.lists(st.tuples(st.sampled_from(PHONES), st.integers(0, 5)), min_size=1, max_size=60)


def figures(found: Pairs) -> PhoneFigures:
    return quality_of(Counter(found), 6, 1).with_silence


def flat(found: Counts) -> tuple[float, ...]:
    quality = quality_of(found, 6, 1)
    return (quality.dead_units, quality.unit_entropy, *astuple(quality.with_silence), *astuple(quality.without_silence))


def written_out(found: Pairs) -> tuple[float, float, float]:
    """Phone purity, cluster purity and PNMI as sums over pairs, one probability at a time."""
    n = len(found)
    of_pair, of_phone, of_unit = Counter(found), Counter(y for y, _ in found), Counter(z for _, z in found)
    phone_purity = sum(max(of_pair[y, z] for y in of_phone) for z in of_unit) / n
    cluster_purity = sum(max(of_pair[y, z] for z in of_unit) for y in of_phone) / n
    information = sum(c / n * math.log((c / n) / (of_phone[y] / n * of_unit[z] / n)) for (y, z), c in of_pair.items())
    entropy = -sum(c / n * math.log(c / n) for c in of_phone.values())
    return phone_purity, cluster_purity, information / entropy if entropy else 0.0


@given(pairs)
def test_figures_are_those_of_the_paper(found: Pairs) -> None:
    ours = figures(found)
    purity, cluster_purity, information = written_out(found)
    assert ours.labels == len(found)
    assert ours.phone_purity == pytest.approx(purity)
    assert ours.cluster_purity == pytest.approx(cluster_purity)
    assert ours.phone_normalised_mutual_information == pytest.approx(information, abs=1e-9)


@given(pairs, st.permutations(range(6)))
def test_the_numbers_of_units_do_not_matter(found: Pairs, names: list[int]) -> None:
    assert flat(Counter((y, names[z]) for y, z in found)) == pytest.approx(flat(Counter(found)), abs=1e-9)


@given(st.lists(st.sampled_from(PHONES), min_size=1, max_size=60))
def test_units_that_are_the_phones_tell_all(phones: list[str]) -> None:
    ours = figures([(phone, PHONES.index(phone)) for phone in phones])
    assert ours.phone_purity == ours.cluster_purity == pytest.approx(1)
    assert ours.phone_normalised_mutual_information == pytest.approx(float(len(set(phones)) > 1))


@given(st.dictionaries(st.sampled_from(PHONES), st.integers(1, 9), min_size=1), st.lists(st.integers(1, 9), min_size=1))
def test_units_that_do_not_depend_on_the_phones_tell_nothing(phones: dict[str, int], units: list[int]) -> None:
    table: Counts = Counter({(y, z): a * b for y, a in phones.items() for z, b in enumerate(units)})
    ours = quality_of(table, len(units), 1).with_silence
    assert ours.phone_normalised_mutual_information == pytest.approx(0, abs=1e-9)
    assert ours.phone_purity == pytest.approx(max(phones.values()) / sum(phones.values()))
    assert ours.cluster_purity == pytest.approx(max(units) / sum(units))


def test_random_units_tell_almost_nothing() -> None:
    generator = np.random.default_rng(0)
    drawn = zip(generator.integers(4, size=50_000), generator.integers(6, size=50_000), strict=True)
    assert figures([(PHONES[y], int(z)) for y, z in drawn]).phone_normalised_mutual_information < 1e-3


@given(pairs)
def test_splitting_a_unit_never_tells_less(found: Pairs) -> None:
    halves = [(y, 2 * z + place % 2) for place, (y, z) in enumerate(found)]
    one, two = figures(found), quality_of(Counter(halves), 12, 1).with_silence
    assert two.phone_purity >= one.phone_purity - 1e-9
    assert two.phone_normalised_mutual_information >= one.phone_normalised_mutual_information - 1e-9
    assert two.cluster_purity <= one.cluster_purity + 1e-9


def test_silence_and_labels_without_a_phone_are_counted_apart() -> None:
    table: Counts = Counter({("AA", 0): 4, ("B", 1): 4, (SILENCE, 0): 2, (None, 5): 10})
    quality = quality_of(table, 8, 3)
    assert (quality.cuts, quality.labels, quality.dead_units) == (3, 20, 5)
    assert quality.unaligned_share == pytest.approx(0.5)
    assert quality.silence_share == pytest.approx(0.2)
    assert quality.with_silence.labels == 10
    assert quality.with_silence.phone_purity == pytest.approx(0.8)
    assert quality.without_silence.labels == 8
    assert quality.without_silence.phone_normalised_mutual_information == pytest.approx(1)
    expected = -(0.3 * math.log2(0.3) + 0.2 * math.log2(0.2) + 0.5 * math.log2(0.5))
    assert quality.unit_entropy == pytest.approx(expected)


def with_phones(cuts: CutSet) -> CutSet:
    """Every cut with AA in its first fifth of a second and silence up to the second fifth."""
    items = [AlignmentItem("AA", 0.0, 0.2), AlignmentItem(SILENCE, 0.2, 0.2)]
    return CutSet.from_cuts(
        fastcopy(cut, supervisions=[fastcopy(said, alignment={"phone": items}) for said in cut.supervisions])
        for cut in cuts
    )


def test_a_labelled_manifest_is_compared_label_by_label(tmp_path: Path) -> None:
    model = tiny.unit_model()
    cuts = attach_units(with_phones(tiny.make_cuts(tmp_path, 3)), model, tmp_path / "units")
    quality = unit_quality(cuts, model)
    units = [load_units(cut, model.fingerprint) for cut in cuts]
    assert (quality.cuts, quality.num_units) == (3, model.num_units)
    assert quality.labels == sum(map(len, units))
    assert quality.with_silence.labels == 120
    assert quality.without_silence.labels == 60
    expected = figures(
        [(phone, int(u)) for row in units for phone, u in zip(["AA"] * 20 + [SILENCE] * 20, row[:40], strict=True)]
    )
    assert astuple(quality.with_silence) == pytest.approx(astuple(expected))


def test_what_cannot_be_compared_is_refused(tmp_path: Path) -> None:
    model, other = tiny.unit_model(), tiny.unit_model(seed=5)
    bare = tiny.make_cuts(tmp_path, 2)
    labelled = attach_units(bare, model, tmp_path / "units")
    with pytest.raises(DataError, match="tokens align"):
        unit_quality(labelled, model)
    with pytest.raises(VocabularyError, match="another unit model"):
        unit_quality(labelled, other)
    with pytest.raises(VocabularyError, match="no units"):
        unit_quality(bare, model)
    for path in (tmp_path / "units").rglob("*.npy"):
        np.save(path, np.full_like(np.load(path), 99))
    with pytest.raises(DataError, match="none of the unit model"):
        unit_quality(with_phones(labelled), model)
