import ast
import errno
import importlib
import re
import subprocess
import sys
import tomllib
import warnings
from collections.abc import Iterable
from pathlib import Path
from types import SimpleNamespace
from typing import NoReturn

import pytest
import typer

from commands import Outcome, assert_refused, run_command
from sprachbund.cli import main as command
from sprachbund.errors import AudioError

PACKAGE = Path(command.__file__).parents[1]


def run_with(monkeypatch: pytest.MonkeyPatch, body: object, verb: str = "info") -> Outcome:
    """Run a verb whose command is `body`."""
    app = typer.Typer()
    app.command()(body)  # type: ignore[type-var]
    monkeypatch.setitem(sys.modules, command.VERBS[verb][0], SimpleNamespace(app=app))  # type: ignore[arg-type]
    return run_command(verb)


@pytest.mark.parametrize("ask", ["--help", "-h", "help"])
def test_help_names_every_verb(ask: str):
    outcome = run_command(ask)
    assert (outcome.code, outcome.err) == (0, "")
    for verb, (_, told) in command.VERBS.items():
        assert f"  {verb} " in outcome.out
        assert told in outcome.out


def test_nothing_given_shows_the_same_and_fails():
    outcome = run_command()
    assert outcome.code == 2
    assert outcome.out == run_command("--help").out


def test_version():
    outcome = run_command("--version")
    assert outcome.code == 0
    assert outcome.out.startswith("sprachbund ")
    assert outcome.out.strip().split(" ")[1][0].isdigit()


@pytest.mark.parametrize("verb", command.VERBS)
def test_every_verb_exists_and_has_help(verb: str):
    assert isinstance(importlib.import_module(command.VERBS[verb][0]).app, typer.Typer)
    outcome = run_command(verb, "--help")
    assert outcome.code == 0, outcome.err
    assert f"sprachbund {verb}" in outcome.out


def test_arguments_come_from_the_shell(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    monkeypatch.setattr(sys, "argv", ["sprachbund", "--version"])
    with pytest.raises(SystemExit) as leaving:
        command.main()
    assert leaving.value.code == 0
    assert "sprachbund" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("verb", "told"),
    [
        ("transcrib", "Did you mean 'transcribe'"),
        ("fine-tune", "Did you mean 'finetune'"),
        ("--verbose", "there is no verb '--verbose'"),
        ("[bold]x[/nonsense]", "there is no verb '[bold]x[/nonsense]'. Known are: corpus, check"),
        ("", "there is no verb ''"),
    ],
)
def test_unknown_verbs(verb: str, told: str):
    assert_refused(run_command(verb), told)


@pytest.mark.parametrize(
    "arguments",
    [("transcribe",), ("info", "a", "b"), ("evaluate", "a", "b", "--beam", "many"), ("finetune", "--nonsense")],
)
def test_wrong_usage_shows_the_usage(arguments: tuple[str, ...]):
    outcome = run_command(*arguments)
    assert outcome.code == 2
    assert f"Usage: sprachbund {arguments[0]}" in outcome.err
    assert "Traceback" not in outcome.err


def test_errors_of_the_input_are_one_line(monkeypatch: pytest.MonkeyPatch):
    def body() -> NoReturn:
        raise AudioError("not a\nrecording", where="[a].wav", given="RIFF?\r\nno", mend="Give another.")

    assert_refused(
        run_with(monkeypatch, body), "sprachbund: not a recording in [a].wav (given: RIFF? no). Give another."
    )


def test_errors_of_the_machine_are_one_line(monkeypatch: pytest.MonkeyPatch):
    def full() -> NoReturn:
        raise OSError(errno.ENOSPC, "No space left on device", "runs/model.safetensors")

    def nameless() -> NoReturn:
        raise OSError("sndfile library not found")

    assert_refused(run_with(monkeypatch, full), "No space left on device in runs/model.safetensors", "free space")
    assert_refused(run_with(monkeypatch, nameless), "sndfile library not found")


def test_a_missing_package_names_the_extra(monkeypatch: pytest.MonkeyPatch):
    def body() -> None:
        import nonsense.inside  # noqa: F401

    assert_refused(run_with(monkeypatch, body), "'nonsense', which is not installed", "pip install 'sprachbund[all]'")


def test_training_without_lightning(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delitem(sys.modules, "sprachbund.training.run", raising=False)
    monkeypatch.setitem(sys.modules, "lightning.pytorch", None)  # type: ignore[arg-type]
    outcome = run_command("finetune", "speecht5_tiny_asr")
    assert_refused(outcome, "needs the Python package 'lightning'", "pip install 'sprachbund[all]'")
    assert list(tmp_path.iterdir()) == []


WITHOUT_LHOTSE = """
import sys
sys.modules["lhotse"] = None
from sprachbund.cli.main import main
for arguments in (["evaluate", "model", "cuts.jsonl"], ["corpus", "get", "steel-sky"]):
    try: main(arguments)
    except SystemExit as leaving: print(leaving.code)
"""


def test_manifests_without_lhotse(tmp_path: Path):
    """In a process of its own, as this one has imported it long ago."""
    command_line = [sys.executable, "-c", WITHOUT_LHOTSE]
    done = subprocess.run(command_line, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout == "2\n2\n"
    assert done.stderr.count("needs the Python package 'lhotse'") == done.stderr.count("\n") == 2
    assert list(tmp_path.iterdir()) == []


def imports_of(module: str) -> tuple[set[str], set[str]]:
    """The packages that a module of ours imports at once, and all modules of ours that it may ever import."""
    path = PACKAGE.parent.joinpath(*module.split("."))
    path = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    tree = ast.parse(path.read_text("utf-8"))

    def names(nodes: Iterable[ast.AST]) -> set[str]:
        found = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
        return found | {str(node.module) for node in nodes if isinstance(node, ast.ImportFrom)}

    at_once = {name.partition(".")[0] for name in names(tree.body)}
    return at_once, {name for name in names([*ast.walk(tree)]) if name.startswith("sprachbund.")}


def test_transcribing_needs_no_extra():
    project = tomllib.loads((PACKAGE.parents[1] / "pyproject.toml").read_text("utf-8"))["project"]
    base = {re.split(r"[<>=\[]", requirement)[0] for requirement in project["dependencies"]}
    modules, packages, waiting = set[str](), set[str](), ["sprachbund.cli.transcribe", "sprachbund.cli.main"]
    while waiting:
        module = waiting.pop()
        modules.add(module)
        at_once, further = imports_of(module)
        packages |= at_once
        waiting += [each for each in further - modules if each not in waiting]
    assert {"sprachbund.models.speecht5.model", "sprachbund.signal.audio"} <= modules
    installed = {"pyyaml": "yaml"}
    known = {installed.get(name, name) for name in base} | sys.stdlib_module_names | {"sprachbund"}
    assert packages - known == set()


def test_mistakes_of_ours_are_not_hidden(monkeypatch: pytest.MonkeyPatch):
    def broken() -> NoReturn:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        run_with(monkeypatch, broken)

    def unfinished() -> None:
        import sprachbund.nonsense  # noqa: F401

    with pytest.raises(ModuleNotFoundError):
        run_with(monkeypatch, unfinished)


def interrupt() -> NoReturn:
    raise KeyboardInterrupt


def interrupt_as_lightning() -> NoReturn:
    try:
        raise KeyboardInterrupt
    except KeyboardInterrupt:
        sys.exit(1)


@pytest.mark.parametrize("body", [interrupt, interrupt_as_lightning])
@pytest.mark.parametrize(("verb", "how"), [("info", "the same command goes on"), ("finetune", "--resume goes on")])
def test_an_interrupt_says_what_is_kept(monkeypatch: pytest.MonkeyPatch, body: object, verb: str, how: str):
    outcome = run_with(monkeypatch, body, verb)
    assert outcome.code == 130
    assert outcome.err.startswith("sprachbund: interrupted; what was finished is kept")
    assert how in outcome.err
    assert outcome.err.count("\n") == 1


@pytest.mark.parametrize(("inner", "how"), [("train-t2u", "--resume goes on"), ("align", "the same command goes on")])
def test_an_interrupt_of_a_verb_below_another_one(monkeypatch: pytest.MonkeyPatch, inner: str, how: str):
    app = typer.Typer()
    app.command(inner)(interrupt)
    app.command("other")(lambda: None)
    monkeypatch.setitem(sys.modules, command.VERBS["tokens"][0], SimpleNamespace(app=app))  # type: ignore[arg-type]
    outcome = run_command("tokens", inner)
    assert outcome.code == 130
    assert how in outcome.err


def test_an_interrupt_while_a_verb_is_loaded(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(command, "importlib", SimpleNamespace(import_module=lambda name: interrupt()))
    outcome = run_command("info", "x")
    assert outcome.code == 130
    assert "interrupted; what was finished is kept" in outcome.err


def test_a_verb_may_leave_with_a_code_of_its_own(monkeypatch: pytest.MonkeyPatch):
    def body() -> NoReturn:
        raise typer.Exit(7)

    outcome = run_with(monkeypatch, body)
    assert (outcome.code, outcome.err) == (7, "")


def test_notes_of_libraries_are_not_shown(monkeypatch: pytest.MonkeyPatch):
    def body() -> None:
        warnings.warn("for developers", DeprecationWarning, stacklevel=1)
        typer.echo("done")

    assert run_with(monkeypatch, body) == Outcome(0, "done\n", "")
