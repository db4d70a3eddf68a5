from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field

from sprachbund.config import (
    Few,
    NotNegative,
    Positive,
    Probability,
    Size,
    apply_overrides,
    dump_yaml,
    from_mapping,
    nearest,
    parse_yaml,
    placed,
    read_yaml,
    to_mapping,
)
from sprachbund.errors import RecipeError


@dataclass(frozen=True, kw_only=True)
class Inner:
    rate: float = 1e-4
    kind: Literal["a", "b"] = "a"


@dataclass(frozen=True, kw_only=True)
class Outer:
    steps: int
    inner: Inner = field(default_factory=Inner)
    maybe: Inner | None = None
    paths: tuple[Path, ...] = ()
    free: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.steps < 1:
            raise ValueError("steps must be at least 1")


def test_scientific_numbers_are_numbers():
    assert parse_yaml("a: 1e-4\nb: 2E5\nc: 1.5e3\nd: 1e4x\n", "x") == {"a": 1e-4, "b": 2e5, "c": 1.5e3, "d": "1e4x"}


@pytest.mark.parametrize(
    ("text", "told"),
    [("a: 1\na: 2", "twice"), ("- 1", "mapping"), ("a: [", "not valid YAML"), ("1: 2", "not text"), ("", "mapping")],
)
def test_bad_yaml_is_one_sentence(text, told):
    with pytest.raises(RecipeError, match=told):
        parse_yaml(text, "x")


@given(st.text(max_size=60))
def test_any_text_is_a_mapping_or_our_error(text):
    try:
        assert isinstance(parse_yaml(text, "x"), dict)
    except RecipeError:
        pass


def test_yaml_runs_nothing():
    with pytest.raises(RecipeError):
        parse_yaml("a: !!python/object/apply:os.system [true]", "x")


def test_files_that_cannot_be_read(tmp_path):
    with pytest.raises(RecipeError, match="No such file"):
        read_yaml(tmp_path / "none.yaml")
    (tmp_path / "bytes.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(RecipeError, match="UTF-8"):
        read_yaml(tmp_path / "bytes.yaml")


def test_values_become_dataclasses_and_go_back():
    plain = {"steps": 3, "inner": {"rate": 1, "kind": "b"}, "maybe": None, "paths": ["a/b"], "free": {"x": [1]}}
    outer = from_mapping(Outer, plain, "x")
    assert outer.inner == Inner(rate=1.0, kind="b")
    assert outer.paths == (Path("a/b"),)
    assert from_mapping(Outer, parse_yaml(dump_yaml(to_mapping(outer)), "x"), "x") == outer


@pytest.mark.parametrize(
    ("plain", "told"),
    [
        ({"step": 1}, "'step' is not known.*Did you mean 'steps'"),
        ({"steps": 1, "inner": {"rat": 1}}, "'inner.rat' is not known.*Did you mean 'rate'"),
        ({"steps": 1, "maybe": {"kid": "a"}}, "'maybe.kid' is not known"),
        ({}, "'steps' is missing"),
        ({"steps": "3"}, "'steps'.*integer"),
        ({"steps": True}, "'steps'"),
        ({"steps": 1, "inner": {"kind": "c"}}, "'inner.kind'"),
        ({"steps": 0}, "at least 1"),
    ],
)
def test_unfit_values_are_named(plain, told):
    with pytest.raises(RecipeError, match=told):
        from_mapping(Outer, plain, "x")


@dataclass(frozen=True, kw_only=True)
class Round:
    kind: Literal["round"]
    radius: float


@dataclass(frozen=True, kw_only=True)
class Square:
    kind: Literal["square"]
    side: float = 1.0


@dataclass(frozen=True, kw_only=True)
class Drawing:
    shape: Annotated[Round | Square, Field(discriminator="kind")]


@pytest.mark.parametrize("shape", [{"kind": "round", "radius": 2.0}, {"kind": "square", "side": 3.0}])
def test_a_kind_chooses_among_dataclasses(shape):
    drawing = from_mapping(Drawing, {"shape": shape}, "x")
    assert to_mapping(drawing) == {"shape": shape}
    assert type(drawing.shape) is {"round": Round, "square": Square}[shape["kind"]]


@pytest.mark.parametrize(
    ("shape", "told"),
    [
        ({"kind": "round", "side": 2.0}, "'shape.side' is not known"),
        ({"kind": "square", "syde": 2.0}, "'shape.syde' is not known.*Did you mean 'side'"),
        ({"kind": "flat", "side": 2.0}, "'shape' cannot be used.*'round', 'square'"),
        ({"side": 2.0}, "'shape' cannot be used"),
        (None, "'shape'"),
    ],
)
def test_keys_of_another_kind_are_not_known(shape, told):
    with pytest.raises(RecipeError, match=told):
        from_mapping(Drawing, {"shape": shape}, "x")


def test_overrides():
    plain = {"a": {"b": 1}, "c": 2}
    assert apply_overrides(plain, ["a.b=1e-3", "d.e=[1, 2]", "c=null"]) == {
        "a": {"b": 1e-3},
        "c": None,
        "d": {"e": [1, 2]},
    }
    assert plain == {"a": {"b": 1}, "c": 2}
    for bad in ("a", "=1", "a..b=1", "c.x=1"):
        with pytest.raises(RecipeError):
            apply_overrides(plain, [bad])


def test_nearest_names():
    assert nearest("lerning", ["learning", "steps"]) == "Did you mean 'learning'?"
    assert nearest("zzz", ["learning", "steps"]) == "Known are: learning, steps."


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf"), 2**63, -(10**30)])
@pytest.mark.parametrize("place", ["steps", "inner.rate", "free.a.b"])
def test_numbers_that_are_none_are_refused_wherever_they_stand(place: str, value: float) -> None:
    mapping = apply_overrides({"steps": 1}, [f"{place}={dump_yaml({'v': value})[3:].strip()}"])
    with pytest.raises(RecipeError, match=rf"the value of '{place}' cannot be used: it is not a finite number"):
        from_mapping(Outer, mapping, "x")


def test_large_numbers_of_ordinary_size_are_taken() -> None:
    assert from_mapping(Outer, {"steps": 2**63 - 1, "inner": {"rate": 1e300}}, "x").steps == 2**63 - 1


ALIASES = "a: &a [x, x]\n" + "".join(
    f"{new}: &{new} [*{old}, *{old}]\n" for old, new in zip("abcdefgh", "bcdefghi", strict=True)
)


@pytest.mark.parametrize("text", [ALIASES, "a: &a {b: *a}", "a: &x 1\nb: *x"])
def test_aliases_are_refused(text: str) -> None:
    with pytest.raises(RecipeError, match=r"aliases .* are not read in x\. Write the value"):
        parse_yaml(text, "x")


def test_a_mapping_of_many_keys_takes_no_square_of_their_number() -> None:
    text = "".join(f"{number:x}a: 1\n" for number in range(15_000))
    assert len(parse_yaml(text, "x")) == 15_000


def test_what_is_too_long_for_a_recipe_is_not_parsed() -> None:
    with pytest.raises(RecipeError, match="too long for a recipe"):
        parse_yaml("a: " + "x" * (1 << 18), "x")


@dataclass(frozen=True, kw_only=True)
class Ranges:
    size: Size = 1
    few: Few = 0
    share: Probability = 0.5
    positive: Positive = 1.0
    not_negative: NotNegative = 0.0


@pytest.mark.parametrize(
    ("key", "good", "bad"),
    [
        ("size", (1, 1 << 20), (0, -1, 1 << 21, 1.5)),
        ("few", (0, 1000), (-1, 1001)),
        ("share", (0, 0.3, 1), (-0.1, 1.1)),
        ("positive", (1e-9, 5), (0, -1)),
        ("not_negative", (0, 5.5), (-1e-9,)),
    ],
)
def test_ranges_of_numbers(key: str, good: tuple[float, ...], bad: tuple[float, ...]) -> None:
    for value in good:
        assert getattr(from_mapping(Ranges, {key: value}, "x"), key) == value
    for value in bad:
        with pytest.raises(RecipeError, match=f"the value of '{key}' cannot be used"):
            from_mapping(Ranges, {key: value}, "x")


@pytest.mark.parametrize("folder", [Path(), Path("a/b c"), Path("/x: #1")])
def test_places_beside_the_recipe_are_found(folder: Path) -> None:
    plain = {"a": "$HERE/units", "b": ["$HERE/x/y", 3, None], "c": {"d": "$HEREunits"}, "e": "x/$HERE/y", "f": "$HERE"}
    assert placed(plain, folder) == {
        "a": str(folder / "units"),
        "b": [str(folder / "x" / "y"), 3, None],
        "c": {"d": "$HEREunits"},
        "e": "x/$HERE/y",
        "f": "$HERE",
    }
