"""What the package promises: its public names, words for all of them, and that it comes at once."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import sprachbund

ROOT = Path(sprachbund.__file__).parent

# What takes long to import, or is an extra.
HEAVY = ("torch", "lightning", "lhotse", "sklearn", "matplotlib", "scipy", "sentencepiece", "soundfile", "av")


def test_these_names_are_promised():
    assert sprachbund.__all__ == ["DecodingConfig", "FusedModel", "Recognizer", "SprachbundError", "load"]


def test_each_of_them_is_there():
    for name in sprachbund.__all__:
        assert getattr(sprachbund, name).__name__ == name
        assert name in dir(sprachbund)
    namespace: dict[str, object] = {}
    exec("from sprachbund import *", namespace)
    assert set(sprachbund.__all__) <= set(namespace)


def test_no_other_name_is_made_up():
    with pytest.raises(AttributeError, match="module 'sprachbund' has no attribute 'nonsense'"):
        _ = sprachbund.nonsense


SCRIPT = f"""
import sys
def heavy(): return [name for name in {HEAVY!r} if name in sys.modules]
import sprachbund
sprachbund.SprachbundError
print("import", heavy())
from sprachbund.cli.main import VERBS, main
def run(*arguments):
    try: main(list(arguments))
    except SystemExit: pass
sys.stdout, out = sys.stderr, sys.stdout
run("--help"); run("--version"); run("nonsense")
print("help", heavy(), file=out)
for verb in VERBS:
    run(verb, "--help")
    print(verb, heavy(), file=out)
"""


def test_import_and_help_wait_for_nothing_heavy():
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True)
    lines = done.stdout.splitlines()
    assert len(lines) > 5
    assert [line for line in lines if not line.endswith(" []")] == []


def undocumented(path: Path) -> list[str]:
    """Public classes and functions of a file, and public methods of these classes, that lack a docstring."""

    def walk(node: ast.Module | ast.ClassDef, where: str) -> list[str]:
        found = []
        for child in node.body:
            if isinstance(child, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and child.name[0] != "_":
                if ast.get_docstring(child) is None:
                    found.append(f"{where}{child.name}")
                if isinstance(child, ast.ClassDef):
                    found += walk(child, f"{where}{child.name}.")
        return found

    tree = ast.parse(path.read_text("utf-8"))
    place = f"{path.relative_to(ROOT).as_posix()}: "
    return ([] if ast.get_docstring(tree) else [place]) + walk(tree, place)


def test_every_public_thing_says_what_it_is():
    assert [name for path in sorted(ROOT.rglob("*.py")) for name in undocumented(path)] == []
