"""YAML <-> typed dataclasses: strict values, unknown keys refused with the nearest name, dotted overrides.

A configuration is a frozen keyword-only dataclass. `read_yaml` gives plain mappings, `apply_overrides` changes them by
``a.b=c`` strings, `from_mapping` makes the dataclass, `to_mapping` goes back.
"""

import copy
import dataclasses
import difflib
import json
import math
import re
import types
import typing
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, TypeVar

import yaml
from pydantic import Field, TypeAdapter, ValidationError

from sprachbund.errors import RecipeError

T = TypeVar("T")
# What the numbers of configurations may be; checked where they are read, not where code makes them.
Size = Annotated[int, Field(ge=1, le=1 << 20)]
Few = Annotated[int, Field(ge=0, le=1000)]
Depth = Annotated[int, Field(ge=1, le=1000)]
Probability = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[float, Field(gt=0)]
NotNegative = Annotated[float, Field(ge=0)]
Plain = dict[str, Any]


HERE = "$HERE"  # in a recipe: the folder of the file
LONGEST_YAML = 1 << 18  # characters: a hundred times what a recipe has, and seconds of parsing
LARGEST_INTEGER = 2**63 - 1  # what counts, seeds and sizes are stored in


class _Loader(yaml.SafeLoader):
    """Safe YAML that reads ``1e-4`` as a number and refuses a key written twice, and aliases.

    A few lines of aliases of aliases stand for more values than any memory holds.
    """

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.AliasEvent):
            raise RecipeError("aliases (*name) are not read", mend="Write the value where it is used.")
        return super().compose_node(parent, index)


# YAML 1.1 wants a dot and a signed exponent in every float; people write 1e-4.
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"^[-+]?(\d+\.?\d*|\.\d+)[eE][-+]?\d+$"), list("-+0123456789.")
)


def _unique_mapping(loader: _Loader, node: yaml.MappingNode) -> Plain:
    keys: list[Any] = [loader.construct_object(key) for key, _ in node.value]
    seen: set[str] = set()
    for key in keys:
        if not isinstance(key, str):
            raise RecipeError("a key is not text", given=repr(key), mend="Quote it or give it a name.")
        if key in seen:
            raise RecipeError(f"the key '{key}' is written twice", mend="Keep one of them.")
        seen.add(key)
    return {key: loader.construct_object(value, deep=True) for key, (_, value) in zip(keys, node.value, strict=True)}


_Loader.add_constructor("tag:yaml.org,2002:map", _unique_mapping)


def parse_yaml(text: str, where: object) -> Plain:
    """Parse the text of a YAML mapping.

    Raises:
        RecipeError: it is not YAML, or not a mapping.
    """
    if len(text) > LONGEST_YAML:
        raise RecipeError(
            "this is too long for a recipe", where=where, given=f"{len(text)} characters", mend="Is it another file?"
        )
    try:
        content = yaml.load(text, Loader=_Loader)  # noqa: S506  (the loader is a SafeLoader)
    except RecipeError as error:
        raise RecipeError(error.what, where=where, given=error.given, mend=error.mend) from None
    except (yaml.YAMLError, RecursionError, ValueError, LookupError, AttributeError) as error:
        # PyYAML itself stumbles over values that are not what their tag says, such as `!!bool perhaps`.
        problem = " ".join(str(error).split())
        raise RecipeError("this is not valid YAML", where=where, given=problem, mend="Mend the place named.") from None
    if not isinstance(content, dict):
        raise RecipeError("a mapping of names to values is wanted", where=where, given=type(content).__name__)
    return content


def read_yaml(path: Path) -> Plain:
    """Read a YAML file that holds one mapping.

    Raises:
        RecipeError: the file is missing, unreadable, or not a YAML mapping.
    """
    try:
        return parse_yaml(path.read_text("utf-8"), path)
    except (OSError, UnicodeDecodeError) as error:
        raise RecipeError("this file cannot be read as text", where=path, given=_reason(error)) from None


def placed(value: Any, folder: Path) -> Any:
    """Plain values in which every text ``$HERE/a/b`` has become the path of a/b in `folder`."""
    if isinstance(value, dict):
        return {key: placed(inner, folder) for key, inner in value.items()}
    if isinstance(value, list):
        return [placed(inner, folder) for inner in value]
    is_inside = isinstance(value, str) and value.startswith(f"{HERE}/")
    return str(folder / value.removeprefix(f"{HERE}/")) if is_inside else value


def dump_yaml(mapping: Mapping[str, Any]) -> str:
    """YAML text of plain values, in their order."""
    return str(yaml.safe_dump(dict(mapping), sort_keys=False, allow_unicode=True, width=110))


def apply_overrides(mapping: Plain, overrides: Iterable[str]) -> Plain:
    """A copy of `mapping` changed by ``a.b=c`` strings; values are read as YAML.

    Raises:
        RecipeError: an override without ``=``, or one that goes through a value that holds no keys.
    """
    result = copy.deepcopy(mapping)
    for override in overrides:
        path, equals, value = override.partition("=")
        keys = path.strip().split(".")
        if not equals or not all(keys):
            raise RecipeError(
                "an override is not of the form a.b=c", given=override, mend="Write for example training.seed=3."
            )
        inner = result
        for key in keys[:-1]:
            inner = inner.setdefault(key, {})
            if not isinstance(inner, dict):
                raise RecipeError(f"'{key}' holds a value and no further keys", where=f"override {override}")
        inner[keys[-1]] = parse_yaml(f"value: {value}", f"override {override}")["value"]
    return result


def from_mapping(kind: type[T], mapping: Mapping[str, Any], where: object) -> T:
    """Make the dataclass `kind` of plain values, strictly: no unknown key, no value of another type, only real numbers.

    Raises:
        RecipeError: names the key, what was given, and the nearest known key.
    """
    _refuse_unknown_keys(kind, mapping, (), where)
    try:
        _refuse_numbers(mapping, (), where)
        return TypeAdapter(kind).validate_json(json.dumps(mapping), strict=True)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        if first["type"] in ("missing", "missing_argument", "missing_keyword_only_argument"):
            raise RecipeError(f"the key '{key}' is missing", where=where, mend=f"Add {key}: VALUE.") from None
        given = json.dumps(first["input"], ensure_ascii=False)[:80]
        problem = first["msg"].removeprefix("Value error, ")
        what = f"the value of '{key}' cannot be used" if key else "these values do not go together"
        raise RecipeError(f"{what}: {problem}", where=where, given=given) from None
    except (ArithmeticError, RecursionError, TypeError, ValueError) as error:
        raise RecipeError("these values cannot be used", where=where, given=str(error)) from None


def to_mapping(instance: Any) -> Plain:
    """Plain values (JSON types) of a configuration dataclass."""
    plain: Plain = TypeAdapter(type(instance)).dump_python(instance, mode="json")
    return plain


def merge(base: Plain, changes: Mapping[str, Any]) -> Plain:
    """`base` with `changes` laid over it; mappings are merged key by key, other values replaced."""
    merged = dict(base)
    for key, value in changes.items():
        both = isinstance(value, Mapping) and isinstance(merged.get(key), dict)
        merged[key] = merge(merged[key], value) if both else value
    return merged


def require_choice(known: Sequence[str], name: str, what: str) -> Any:
    """The one of `known` that is `name`.

    Raises:
        RecipeError: it is none of them.
    """
    if name not in known:
        raise RecipeError(f"there is no such {what}", given=name, mend=f"Known are: {', '.join(known)}.")
    return name


def nearest(name: str, known: Sequence[str]) -> str:
    """A sentence that names the nearest known name, or all of them."""
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    return f"Did you mean '{close[0]}'?" if close else f"Known are: {', '.join(known)}."


def _refuse_unknown_keys(kind: Any, value: Any, path: tuple[str, ...], where: object) -> None:
    for candidate in _alternatives(kind, value):
        origin = typing.get_origin(candidate)
        if dataclasses.is_dataclass(candidate) and isinstance(value, Mapping):
            hints = typing.get_type_hints(candidate)
            known = [field.name for field in dataclasses.fields(candidate) if field.init]
            for key, inner in value.items():
                if key not in known:
                    name = ".".join((*path, key))
                    raise RecipeError(f"the key '{name}' is not known", where=where, mend=nearest(key, known))
                _refuse_unknown_keys(hints[key], inner, (*path, key), where)
        elif origin in (tuple, list) and isinstance(value, (list, tuple)):
            for position, inner in enumerate(value):
                _refuse_unknown_keys(typing.get_args(candidate)[0], inner, (*path, str(position)), where)
        elif origin in (dict, Mapping) and isinstance(value, Mapping):
            for key, inner in value.items():
                _refuse_unknown_keys(typing.get_args(candidate)[1], inner, (*path, str(key)), where)


def _refuse_numbers(value: Any, path: tuple[str, ...], where: object) -> None:
    """Refuse what is no number or no integer of 64 bits: it would pass every check of a range, or none of a library."""
    is_number = isinstance(value, int | float)
    if is_number and not (math.isfinite(value) if isinstance(value, float) else abs(value) <= LARGEST_INTEGER):
        what = f"the value of '{'.'.join(path)}' cannot be used: it is not a finite number of ordinary size"
        raise RecipeError(what, where=where, given=str(value)[:40], mend="Write another number.")
    inner = value.items() if isinstance(value, Mapping) else enumerate(value) if isinstance(value, list | tuple) else ()
    for key, part in inner:
        _refuse_numbers(part, (*path, str(key)), where)


def _alternatives(kind: Any, value: Any) -> tuple[Any, ...]:
    """What `value` may be; of several dataclasses the one whose `kind` it names, if any."""
    is_union = typing.get_origin(kind) in (typing.Union, types.UnionType)
    found = typing.get_args(kind) if is_union else (kind,)
    classes = [candidate for candidate in found if dataclasses.is_dataclass(candidate)]
    if len(classes) < 2:
        return found
    named = value.get("kind") if isinstance(value, Mapping) else None
    chosen = [one for one in classes if named in typing.get_args(typing.get_type_hints(one).get("kind"))]
    return tuple(candidate for candidate in found if candidate in chosen or candidate not in classes)


def _reason(error: Exception) -> str:
    return (error.strerror or "") if isinstance(error, OSError) else "it is not UTF-8 text"
