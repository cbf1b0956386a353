"""Rules of layers and of tests that import-linter's contracts cannot state."""

import ast
import sys
from pathlib import Path

import grimp

from tests.support.paths import ROOT

TESTS = ROOT / "tests"
# Where the packages are that folders of tests are named after.
HOMES = ("flexiprice", "api", ".")


def test_the_domain_imports_only_the_standard_library_pydantic_and_our_errors() -> None:
    graph = grimp.build_graph("flexiprice", include_external_packages=True)
    domain = {"flexiprice.domain", *graph.find_descendants("flexiprice.domain")}
    imported = {module for member in domain for module in graph.find_modules_directly_imported_by(member)}
    outside = {module for module in imported - domain if module.split(".")[0] not in sys.stdlib_module_names}
    # pydantic keeps the error that a validator raises in its core.
    assert outside <= {"pydantic", "pydantic_core", "flexiprice.errors"}


def test_no_module_imports_a_test_module_or_a_conftest() -> None:
    offences = [
        f"{file.relative_to(ROOT)}: {module}"
        for file in modules_of_tests()
        for module in imported_modules(file)
        if any(part.startswith("test_") or part == "conftest" for part in module.split("."))
    ]
    assert offences == []


def test_folders_of_unit_and_integration_tests_are_named_as_packages() -> None:
    strays = [
        folder for kind in ("unit", "integration") for folder in folders(kind) if not is_package(folder)
    ]
    assert strays == []


def modules_of_tests() -> list[Path]:
    """Modules of the tests, without npm's folder."""
    return [file for file in TESTS.rglob("*.py") if "node_modules" not in file.parts]


def imported_modules(file: Path) -> list[str]:
    """Names that a file imports from the tests, each with its module."""
    return [
        f"{node.module}.{alias.name}"
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("tests")
        for alias in node.names
    ]


def folders(kind: str) -> list[str]:
    """Folders with tests below `unit` or `integration`, named from there."""
    top = TESTS / kind
    return sorted({str(file.parent.relative_to(top)) for file in top.rglob("test_*.py")} - {"."})


def is_package(folder: str) -> bool:
    """Whether the product has a package of this path, or, of a worker, one of its runtime."""
    below_runtime = folder.replace("workers/", "workers/runtime/", 1)
    return any(
        (ROOT / home / path / "__init__.py").exists() for home in HOMES for path in (folder, below_runtime)
    )
