"""Seeded damage: to bytes, to JSON values, to text. The same random generator gives the same damage."""

import copy
import json
import random
from typing import Any

# What headers lie with.
NUMBERS = (0, 1, 2, 127, 128, 255, 256, 32767, 65535, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFE, 0xFFFFFFFF, 0x00FFFFFF)
HEADER = 96  # bytes at the start of a file that are damaged more often than the others
NOT_JSON = "<<<{}>>>"  # stands in for what `json` would not write

VALUES: tuple[Any, ...] = (
    *(None, True, False, 0, 1, -1, 7, 0.5, -0.25, 1e-300, -1e308, 1e308, 10**30, -(10**400), 2**31, 2**63, 2**64),
    *(float("nan"), float("inf"), -float("inf"), "", " ", "x", "nan", "-1", "\x00", "\ud800", "é" * 300, "a" * 5000),
    *("/etc/passwd", "../../../etc/passwd", "http://127.0.0.1:9/x", "file:///etc/passwd", "|touch executed", "$(ls)"),
    *("ftp://127.0.0.1:9/x", "s3://bucket/key", "command", "memory", "url", "MixedCut", "MonoCut", "numpy_hdf5"),
    *([], {}, [[]], [None], {"": None}, [0.0] * 100, {"type": "command"}, "\u202e\u0000\uffff", "1e999", "\uff12"),
)


def damage_bytes(content: bytes, choice: random.Random, *, other: bytes = b"") -> bytes:
    """One to four kinds of damage: flips, lying numbers, cuts, splices with `other`, repeated and inserted parts."""
    damaged = bytearray(content)
    for _ in range(choice.choice((1, 1, 1, 2, 3, 4))):
        if not damaged:
            return bytes(damaged)
        place = choice.randrange(min(len(damaged), HEADER) if choice.random() < 0.6 else len(damaged))
        kind = choice.choice(("flip", "flip", "flips", "number", "number", "cut", "splice", "repeat", "insert", "drop"))
        if kind == "flip":
            damaged[place] ^= 1 << choice.randrange(8)
        elif kind == "flips":
            for _ in range(choice.randrange(2, 40)):
                damaged[choice.randrange(len(damaged))] = choice.randrange(256)
        elif kind == "number":
            width = choice.choice((1, 2, 4, 4, 8))
            number = choice.choice(NUMBERS) % (1 << 8 * width)
            damaged[place : place + width] = number.to_bytes(width, choice.choice(("little", "big")))
        elif kind == "cut":
            del damaged[choice.randrange(len(damaged)) :]
        elif kind == "splice":
            start = choice.randrange(len(other)) if other else 0
            damaged[place:] = other[start:]
        elif kind == "repeat":
            part = damaged[place : place + choice.choice((1, 4, 64, 1024))]
            damaged[place:place] = part * choice.choice((1, 2, 16))
        elif kind == "insert":
            damaged[place:place] = choice.randbytes(choice.choice((1, 3, 8, 200)))
        else:
            del damaged[place : place + choice.choice((1, 2, 4, 8, 100))]
    return bytes(damaged)


def damage_json(value: Any, choice: random.Random, *, times: int | None = None) -> Any:
    """A copy of a JSON value with some of its parts replaced, removed, renamed, doubled or moved."""
    damaged = [copy.deepcopy(value)]
    for _ in range(times or choice.choice((1, 1, 1, 1, 1, 2, 4))):
        places = list(_places(damaged, ()))[1:]
        holder, key = choice.choice(places) if places else (damaged, 0)
        kind = choice.choice(("replace", "replace", "near", "near", "near", "remove", "rename", "swap", "nest"))
        if kind == "replace" or (kind == "rename" and isinstance(holder, list)):
            holder[key] = copy.deepcopy(choice.choice(VALUES))
        elif kind == "near":
            holder[key] = _near(holder[key], choice)
        elif kind == "remove":
            del holder[key]
        elif kind == "rename":
            holder[choice.choice(("", "id", "type", "array", "shape", "sources", "width", "x"))] = holder.pop(key)
        elif kind == "swap":
            elsewhere, there = choice.choice(places or [(damaged, 0)])
            holder[key] = copy.deepcopy(elsewhere[there])
        else:
            for _ in range(choice.choice((1, 2, 30, 90))):
                holder[key] = [holder[key]] if choice.random() < 0.5 else {"a": holder[key]}
        if not damaged:
            return None
    return damaged[0]


def _places(value: Any, _: Any) -> Any:
    """Every (container, key) below `value`."""
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in list(pairs):
        yield value, key
        yield from _places(inner, _)


def _near(value: Any, choice: random.Random) -> Any:
    """A value of the same kind."""
    if isinstance(value, bool) or value is None:
        return choice.choice((not value, 0, "true"))
    if isinstance(value, int):
        return choice.choice((-value, value + 1, value - 1, value * 1000, 0.5, 10 ** choice.randrange(40), -1))
    if isinstance(value, float):
        return choice.choice((-value, value * 1e-9, value * 1e9, 10.0 ** choice.randrange(-300, 300), f"{value}", 0))
    if isinstance(value, str):
        return choice.choice(
            (value.upper(), value[:-1], value * 2, value + "\n", value + "/..", "/" + value, f" {value}")
        )
    return choice.choice(([value], {"a": value}, [], {}, str(value)))


def write_json(value: Any, choice: random.Random) -> str:
    """JSON text, sometimes of a kind that `json` reads but does not write: a key twice, deep nests, huge numbers."""
    text = json.dumps(value, ensure_ascii=choice.random() < 0.5)
    if choice.random() < 0.04:
        hostile = choice.choice(
            ("[" * 100_000, '{"a":' * 50_000, "9" * 5000, "1e999", "-1e999", "NaN", "-Infinity", '"\\ud800"', "1" * 400)
        )
        at = [number for number, character in enumerate(text) if character == ":"] or [0]
        place = choice.choice(at) + 1
        text = (
            f"{text[:place]} {hostile}, {text[place:]}"
            if choice.random() < 0.3
            else f"{text[:place]} {hostile}" + _rest(text, place)
        )
    if choice.random() < 0.1 and text.startswith("{") and len(text) > 2:
        text = text[:-1] + ", " + text[1:]
    return text


def _rest(text: str, place: int) -> str:
    """The text behind the value that begins at `place`, as far as it can be told without parsing."""
    ends = [end for end in (text.find(",", place), text.find("}", place)) if end >= 0]
    return text[min(ends) :] if ends else ""


def damage_text(text: str, choice: random.Random, words: tuple[str, ...]) -> str:
    """Text with lines or parts of lines dropped, doubled, exchanged or replaced by `words`."""
    for _ in range(choice.choice((1, 1, 2, 4))):
        lines = text.split("\n")
        line = choice.randrange(len(lines))
        kind = choice.choice(("word", "word", "word", "drop", "double", "indent", "character", "cut"))
        if kind == "word":
            before, colon, _ = lines[line].partition(":")
            lines[line] = f"{before}{colon or ' '} {choice.choice(words)}"
        elif kind == "drop":
            del lines[line]
        elif kind == "double":
            lines.insert(choice.randrange(len(lines)), lines[line])
        elif kind == "indent":
            lines[line] = " " * choice.randrange(5) + lines[line].lstrip()
        elif kind == "character":
            place = choice.randrange(len(lines[line]) + 1)
            lines[line] = (
                lines[line][:place] + choice.choice("\x00\t\n:[]{}&*!|>'\"%@`-?,#\u2028\ud800é") + lines[line][place:]
            )
        else:
            lines[line] = lines[line][: choice.randrange(len(lines[line]) + 1)]
        text = "\n".join(lines)
    return text
