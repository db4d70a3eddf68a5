import pytest
from hypothesis import given
from hypothesis import strategies as st

from sprachbund.checkpoints.key_table import KeyTable
from sprachbund.errors import CheckpointError

TABLE = KeyTable(
    [
        ("enc.layers.{n}.q_proj.{kind}", "encoder.{n}.query.{kind}"),
        ("enc.{part}.{kind}", "encoder.other.{part}.{kind}"),
        ("head.{rest}", "classifier.{rest}"),
        ("twice.{n}.{m}", "pair.{m}.{n}"),
    ],
    ignored=["{part}.version"],
)


def test_names_are_translated_both_ways():
    names = ["enc.layers.12.q_proj.weight", "enc.norm.bias", "head.a.b.c", "twice.1.2"]
    there = TABLE.to_ours(names)
    assert list(there.names.values()) == [
        "encoder.12.query.weight", "encoder.other.norm.bias", "classifier.a.b.c", "pair.2.1",
    ]  # fmt: skip
    assert there.unused == ()
    assert list(TABLE.to_original(there.names.values()).names.values()) == names


def test_unknown_and_ignored_names_are_told():
    there = TABLE.to_ours(["enc.version", "enc.layers.x.q_proj.weight", "dec.a", "xhead.a"])
    assert there.names == {}
    assert there.unused == ("enc.version", "enc.layers.x.q_proj.weight", "dec.a", "xhead.a")


def test_a_dot_is_a_dot():
    assert TABLE.to_ours(["headxa"]).unused == ("headxa",)


def test_two_names_may_not_become_one():
    table = KeyTable([("a.{kind}", "c.{kind}"), ("b.{kind}", "c.{kind}")])
    with pytest.raises(CheckpointError, match=r"'c\.weight'.*a\.weight and b\.weight"):
        table.to_ours(["a.weight", "b.weight"])


def test_patterns_of_a_pair_hold_the_same_words():
    with pytest.raises(ValueError, match="different words"):
        KeyTable([("a.{n}", "b.{kind}")])


@given(st.integers(0, 10**6), st.sampled_from(["weight", "bias", "running_mean"]))
def test_any_layer_number_goes_there_and_back(number, kind):
    name = f"enc.layers.{number}.q_proj.{kind}"
    there = TABLE.to_ours([name]).names
    assert TABLE.to_original(there.values()).names == {there[name]: name}
