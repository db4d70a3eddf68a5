"""The rooms are ordered and arrows go one way: a module imports from its own room and from earlier ones only."""

import ast
from pathlib import Path

import sprachbund

ROOT = Path(sprachbund.__file__).parent
ROOMS = [
    "errors", "shapes", "lengths", "files", "pickles", "config", "signal", "tokens", "data", "nn", "checkpoints",
    "models", "objectives", "decoding", "evaluation", "training", "recipes", "serving", "experiments", "cli",
    "__main__",
]  # fmt: skip
MODULES = sorted(path for path in ROOT.rglob("*.py") if path != ROOT / "__init__.py")


def room_of(path: Path) -> str:
    first = path.relative_to(ROOT).parts[0]
    return first.removesuffix(".py")


def imported_modules(path: Path) -> set[str]:
    """Modules of the package that a file imports, at any depth, inside functions too."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno} imports relatively; write the whole name"
            found |= {str(node.module), *(f"{node.module}.{alias.name}" for alias in node.names)}
    return {name for name in found if name.startswith("sprachbund.")}


def test_every_module_is_in_a_room():
    assert {room_of(path) for path in MODULES} <= set(ROOMS)


def test_imports_point_to_earlier_rooms():
    wrong = [
        f"{path.relative_to(ROOT)} imports {name}"
        for path in MODULES
        for name in imported_modules(path)
        if (room := name.split(".")[1]) in ROOMS and ROOMS.index(room) > ROOMS.index(room_of(path))
    ]
    assert not wrong


def test_no_import_rings():
    names = {path: ".".join(("sprachbund", *path.relative_to(ROOT).with_suffix("").parts)) for path in MODULES}
    edges = {names[path].removesuffix(".__init__"): imported_modules(path) for path in MODULES}
    state: dict[str, int] = {}

    def visit(name: str, trail: tuple[str, ...]) -> None:
        assert state.get(name) != 1, f"import ring: {' -> '.join((*trail, name))}"
        if name in edges and name not in state:
            state[name] = 1
            for other in edges[name] - {name}:
                visit(other, (*trail, name))
            state[name] = 2

    for name in edges:
        visit(name, ())


def test_models_and_layers_do_not_know_each_other():
    for path in (ROOT / "nn").glob("*.py"):
        text = path.read_text().lower()
        for model in ("speecht5", "speechut", "speechlm", "vatlm"):
            # A docstring may name the paper a layer comes from; code may not name a model.
            code = "".join(line.split("#")[0] for line in ast.unparse(_without_docstrings(text)).splitlines())
            assert model not in code, f"{path.name} names the model {model}"


def _without_docstrings(text: str) -> ast.Module:
    tree = ast.parse(text)
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if (
            isinstance(body, list)
            and body
            and isinstance(body[0], ast.Expr)
            and isinstance(body[0].value, ast.Constant)
        ):
            body[0].value.value = ""
    return tree


def test_files_and_functions_keep_their_size():
    for path in MODULES:
        text = path.read_text()
        assert text.count("\n") <= 400, f"{path.relative_to(ROOT)} is longer than 400 lines"
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                length = (node.end_lineno or 0) - node.lineno + 1
                assert length <= 60, f"{path.relative_to(ROOT)}:{node.lineno} {node.name} has {length} lines"


def test_every_module_has_a_namesake_test():
    tests = Path(__file__).parent
    missing = [
        str(path.relative_to(ROOT))
        for path in MODULES
        if path.name not in ("__init__.py", "__main__.py")
        and not (tests / path.relative_to(ROOT).parent / f"test_{path.name}").exists()
    ]
    assert not missing
