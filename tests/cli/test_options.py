import inspect
from dataclasses import dataclass
from typing import Annotated

import typer
from typer.testing import CliRunner

from sprachbund.cli.options import takes_options


@dataclass(frozen=True, kw_only=True)
class Sizes:
    wide: Annotated[int, typer.Option(min=1, help="How wide.")] = 3
    names: Annotated[list[str] | None, typer.Option("--name")] = None


@dataclass(frozen=True, kw_only=True)
class Moods:
    loud: Annotated[bool, typer.Option("--loud")] = False


def make_app(seen: list[object]) -> typer.Typer:
    app = typer.Typer()

    @app.command()
    @takes_options
    def verb(
        thing: Annotated[str, typer.Argument()], sizes: Sizes, moods: Moods, often: Annotated[int, typer.Option()] = 1
    ) -> None:
        """Does it."""
        seen.extend([thing, sizes, moods, often])

    return app


def test_groups_of_options_are_given_one_by_one():
    seen: list[object] = []
    words = ["it", "--wide", "4", "--name", "a", "--name", "b", "--loud", "--often", "7"]
    done = CliRunner().invoke(make_app(seen), words)
    assert done.exit_code == 0, done.output
    assert seen == ["it", Sizes(wide=4, names=["a", "b"]), Moods(loud=True), 7]


def test_what_is_not_given_is_usual():
    seen: list[object] = []
    assert CliRunner().invoke(make_app(seen), ["it"]).exit_code == 0
    assert seen == ["it", Sizes(), Moods(), 1]


def test_typer_checks_and_explains_them():
    assert CliRunner().invoke(make_app([]), ["it", "--wide", "0"]).exit_code == 2
    told = CliRunner().invoke(make_app([]), ["--help"], env={"COLUMNS": "200"}).output
    for word in ("Does it.", "--wide", "How wide.", "--name", "--loud", "--often"):
        assert word in told


def test_a_verb_without_groups_stays_as_it_is():
    def verb(thing: str, often: int = 2) -> None:
        """Does it."""

    shown = inspect.signature(takes_options(verb)).parameters
    assert [(name, shown[name].default) for name in shown] == [("thing", inspect.Parameter.empty), ("often", 2)]
    assert takes_options(verb).__doc__ == "Does it."
