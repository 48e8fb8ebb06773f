"""The house rules that a tool can prove: import directions, and what may stand where.

Every rule reads the sources' syntax trees; imports inside functions and under TYPE_CHECKING count.
There is no list of exceptions.
"""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

# Lowest first. A part imports itself and parts of lower lines only; parts of one line never
# import each other.
KPCORE_LINES = (
    ("drafting", "errors", "opencv"),
    ("allocation", "configuration", "files", "geometry", "threads", "tracing"),
    ("latents",),
    ("capabilities", "futures", "tracking"),
    ("api",),
    ("nn",),
    ("losses",),
    ("models", "data"),
    ("registry",),
    ("checkpoint",),
    ("evaluation",),
    ("training",),
    ("cli",),
    ("__main__",),
)
KPSTUDIO_MAY_IMPORT = {
    "resource_files": (),
    "session": ("session",),
    "services": ("services", "session", "resource_files"),
    "ui": ("ui", "services", "session", "resource_files"),
    "app": ("app", "ui", "services", "session", "resource_files"),
    "__main__": ("app",),
}
VALUES = (
    "kpcore.latents",
    "kpcore.capabilities",
    "kpcore.api",
    "kpcore.errors",
    "kpcore.geometry.coordinates",
    "kpcore.geometry.units",
)
KPSTUDIO_FROM_KPCORE = {
    "resource_files": (),
    "session": VALUES,
    "ui": (*VALUES, "kpcore.__version__"),
    "services": (
        *VALUES,
        "kpcore.configuration",
        "kpcore.files",
        "kpcore.allocation",
        "kpcore.drafting",
        "kpcore.threads",
        "kpcore.tracing",
        "kpcore.geometry",
        "kpcore.futures",
        "kpcore.tracking",
        "kpcore.registry",
        "kpcore.checkpoint",
        "kpcore.data",
        "kpcore.evaluation.landmarks",
        "kpcore.training.events",
        "kpcore.training.event_log",
        "kpcore.__version__",
    ),
    "app": (*VALUES, "kpcore.__version__"),
    "__main__": (),
}
QT = {"PySide6", "pyqtgraph", "shiboken6"}
THREADS = {"threading", "concurrent", "multiprocessing", "asyncio", "queue", "subprocess"}


@dataclass(frozen=True)
class Import:
    """One imported name: `where` imports `what`, on `line`; `early` when the module's load does."""

    where: str
    what: str
    line: int
    early: bool

    def __str__(self) -> str:
        return f"{self.where}:{self.line} imports {self.what}"


@cache
def sources() -> dict[str, Path]:
    """Module name -> file, for both packages."""
    files: dict[str, Path] = {}
    for package in ("kpcore", "kpstudio"):
        for path in sorted((ROOT / package).rglob("*.py")):
            parts = path.relative_to(ROOT).with_suffix("").parts
            name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
            files[name] = path
    return files


@cache
def tree(module: str) -> ast.Module:
    """Syntax tree of a module."""
    return ast.parse(sources()[module].read_text(encoding="utf-8"))


def _late(node: ast.AST) -> bool:
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
        return True
    return isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)


def _visit(node: ast.AST, module: str, early: bool) -> Iterator[Import]:
    if isinstance(node, ast.Import):
        for name in node.names:
            yield Import(module, name.name, node.lineno, early)
    elif isinstance(node, ast.ImportFrom):
        base = node.module or ""
        if node.level:
            is_package = sources()[module].name == "__init__.py"
            home = module.split(".")
            above = home[: len(home) - node.level + is_package]
            base = ".".join([*above, *([base] if base else [])])
        for name in node.names:
            yield Import(module, f"{base}.{name.name}", node.lineno, early)
    for child in ast.iter_child_nodes(node):
        yield from _visit(child, module, early and not _late(node))


@cache
def imports() -> tuple[Import, ...]:
    """Every import of both packages, `from a import b` written as a.b."""
    return tuple(item for name in sources() for item in _visit(tree(name), name, early=True))


def part(name: str, package: str) -> str | None:
    """First name below `package`, or None for the bare package and for foreign names."""
    head, _, rest = name.partition(".")
    return rest.split(".")[0] if head == package and rest else None


def within(name: str, allowed: tuple[str, ...]) -> bool:
    """Whether `name` is one of `allowed` or lies below it."""
    return any(name == one or name.startswith(f"{one}.") for one in allowed)


def report(wrong: list[Import]) -> str:
    """One import a line, for the failing test."""
    return "\n".join(str(item) for item in wrong)


# -- directions -----------------------------------------------------------------------------------
def test_every_part_has_its_place():
    lines = {name for line in KPCORE_LINES for name in line}
    for module in sources():
        for package, known in (("kpcore", lines), ("kpstudio", set(KPSTUDIO_MAY_IMPORT))):
            name = part(module, package)
            assert name is None or name in known, f"{module}: give '{name}' a line in this file"


def test_kpcore_imports_downwards():
    rank = {name: i for i, line in enumerate(KPCORE_LINES) for name in line}
    wrong = []
    for item in imports():
        here, there = part(item.where, "kpcore"), part(item.what, "kpcore")
        if here is None or there is None or there in {here, "__version__"}:
            continue
        if rank[there] >= rank[here]:
            wrong.append(item)
    assert not wrong, report(wrong)


def test_kpcore_knows_nothing_of_the_studio_nor_of_qt():
    wrong = [
        item
        for item in imports()
        if item.where.split(".")[0] == "kpcore" and item.what.split(".")[0] in {*QT, "kpstudio"}
    ]
    assert not wrong, report(wrong)


def test_families_are_peers():
    def family(name: str) -> str | None:
        pieces = name.split(".")
        return pieces[2] if pieces[:2] == ["kpcore", "models"] and len(pieces) > 2 else None

    wrong = [
        item
        for item in imports()
        if family(item.where) and family(item.what) and family(item.where) != family(item.what)
    ]
    assert not wrong, report(wrong)


def test_kpstudio_imports_downwards():
    wrong = []
    for item in imports():
        here, there = part(item.where, "kpstudio"), part(item.what, "kpstudio")
        if here and there and there not in KPSTUDIO_MAY_IMPORT[here]:
            wrong.append(item)
    assert not wrong, report(wrong)


def test_the_studio_takes_from_kpcore_only_what_its_layer_may():
    wrong = []
    for item in imports():
        here, top = part(item.where, "kpstudio"), item.what.split(".")[0]
        if here and top == "kpcore" and not within(item.what, KPSTUDIO_FROM_KPCORE[here]):
            wrong.append(item)
    assert not wrong, report(wrong)


def test_qt_stays_in_the_ui_and_threads_stay_out_of_the_session():
    wrong = []
    for item in imports():
        here, top = part(item.where, "kpstudio"), item.what.split(".")[0]
        if here and here not in {"ui", "app"} and top in QT:
            wrong.append(item)
        if here == "session" and top in THREADS:
            wrong.append(item)
    assert not wrong, report(wrong)


def test_no_circles():
    graph: dict[str, set[str]] = {name: set() for name in sources()}
    for item in imports():
        target = item.what
        while target and target not in graph:
            target = target.rpartition(".")[0]
        if item.early and target and target != item.where:
            graph[item.where].add(target)
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(f"modules import each other: {' <- '.join(error.args[1])}")


# -- what may stand where -------------------------------------------------------------------------
def test_opencv_has_one_door():
    doors = {item.where for item in imports() if item.what.split(".")[0] == "cv2"}
    assert doors <= {"kpcore.opencv"}


def code_alone(module: str) -> str:
    """Source of a module without comments and docstrings, which may cite papers by name."""
    copy = ast.parse(sources()[module].read_text(encoding="utf-8"))
    for node in ast.walk(copy):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            node.value = ast.Constant(...)
    return ast.unparse(copy)


def test_the_studio_asks_capabilities_not_families():
    from kpcore.registry import FAMILIES

    names = {*FAMILIES, *(module.rsplit(".", 1)[1] for module in FAMILIES.values())}
    spellings = {re.escape(name).replace(r"\-", "[-_ ]?") for name in names}
    pattern = re.compile(rf"(?<![a-z])({'|'.join(sorted(spellings))})(?![a-z])", re.IGNORECASE)
    for module in sources():
        if part(module, "kpstudio") in {"ui", "session"}:
            found = pattern.search(code_alone(module))
            assert found is None, f"{module} names the family '{found and found.group()}'"


def test_modules_are_named_for_what_they_hold():
    vague = {"util", "utils", "helper", "helpers", "common", "base", "manager", "misc"}
    for module in sources():
        assert not vague & set(module.split(".")), f"{module}: say what it holds"


def test_nothing_prints():
    for module in sources():
        for node in ast.walk(tree(module)):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                assert node.func.id != "print", f"{module}:{node.lineno} prints; log instead"


def test_nothing_is_left_to_do():
    for module, path in sources().items():
        found = re.search(r"\b(TODO|FIXME|XXX|HACK)\b", path.read_text(encoding="utf-8"))
        assert found is None, f"{module} holds a {found and found.group()}"


def test_every_package_says_it_is_one():
    for module, path in sources().items():
        assert (path.parent / "__init__.py").exists(), f"{module} lies in a folder without __init__"


# -- what importing costs -------------------------------------------------------------------------
def loaded_by(statement: str) -> set[str]:
    """Top-level modules loaded in a fresh interpreter by `statement`."""
    code = f"{statement}\nimport sys\nsys.stdout.write(' '.join(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return {name.split(".")[0] for name in done.stdout.split()}


def test_kpcore_loads_without_qt_and_the_studio_with_torch_still_to_come():
    core = [name for name in sources() if name.startswith("kpcore.")]
    assert not QT & loaded_by("\n".join(f"import {name}" for name in core))
    assert "torch" not in loaded_by("import kpcore, kpcore.checkpoint")
    studio = [name for name in sources() if part(name, "kpstudio") in {"session", "ui", "app"}]
    assert "torch" not in loaded_by("\n".join(f"import {name}" for name in studio))


# -- declared dependencies ------------------------------------------------------------------------
IMPORT_NAMES = {
    "opencv-python": "cv2",
    "pillow": "PIL",
    "pyside6-essentials": "PySide6",
    "torch-geometric": "torch_geometric",
    "docstring-parser": "docstring_parser",
}


def declared(requirements: list[str]) -> set[str]:
    """Top-level modules that a list of requirements brings."""
    names = {re.split(r"[^\w.-]", text)[0].lower() for text in requirements}
    return {IMPORT_NAMES.get(name, name) for name in names}


def third_party(package: str) -> set[str]:
    """Top-level modules that a package imports and that are neither Python's nor ours."""
    ours = {"kpcore", "kpstudio", *sys.stdlib_module_names}
    return {
        item.what.split(".")[0] for item in imports() if item.where.split(".")[0] == package
    } - ours


def test_dependencies_are_declared_and_declared_ones_are_used():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    core = declared(project["dependencies"])
    studio = declared(project["optional-dependencies"]["studio"])
    assert third_party("kpcore") <= core
    assert third_party("kpstudio") <= core | studio | {"shiboken6"}
    assert core | studio <= third_party("kpcore") | third_party("kpstudio")
