"""What import-linter's contracts cannot say: an allow-list."""

import sys

import grimp


def test_the_domain_imports_only_the_standard_library_pydantic_and_our_errors() -> None:
    graph = grimp.build_graph("flexiprice", include_external_packages=True)
    domain = {"flexiprice.domain", *graph.find_descendants("flexiprice.domain")}
    imported = {module for member in domain for module in graph.find_modules_directly_imported_by(member)}
    outside = {module for module in imported - domain if module.split(".")[0] not in sys.stdlib_module_names}
    # pydantic keeps the error that a validator raises in its core.
    assert outside <= {"pydantic", "pydantic_core", "flexiprice.errors"}
