"""The package's source: every public name says what it is, every function its types, no module is two concepts.

And it stands alone: imports point from the book, the runs and the tests to it.
"""

import ast
from collections.abc import Iterator

from studylib import REPOSITORY

MODULES = {
    path.relative_to(REPOSITORY).as_posix(): ast.parse(path.read_text(encoding="utf-8"))
    for path in sorted((REPOSITORY / "studylib").rglob("*.py"))
}
Function = ast.FunctionDef | ast.AsyncFunctionDef


def public(body: list[ast.stmt], inside: str = "") -> Iterator[tuple[str, ast.AST]]:
    """Public functions, classes and their methods; what is inside a function is nobody else's."""
    for node in body:
        if isinstance(node, Function | ast.ClassDef) and not node.name.startswith("_"):
            yield inside + node.name, node
            if isinstance(node, ast.ClassDef):
                yield from public(node.body, f"{inside}{node.name}.")


def without_docstring(tree: ast.Module) -> list[str]:
    return [found for found, node in public(tree.body) if not ast.get_docstring(node)]


def without_types(tree: ast.Module) -> dict[str, list[str]]:
    """Function -> those of its arguments without a type, and "return" where what it returns has none."""
    of_objects, found = methods(tree), {}
    for node in ast.walk(tree):
        if isinstance(node, Function):
            given = node.args
            arguments = [*given.posonlyargs, *given.args][node in of_objects :]
            arguments += [*given.kwonlyargs, *(one for one in (given.vararg, given.kwarg) if one)]
            names = [a.arg for a in arguments if a.annotation is None] + ["return"] * (node.returns is None)
            if names:
                found[f"{node.name}, line {node.lineno}"] = names
    return found


def methods(tree: ast.Module) -> set[Function]:
    """Functions whose first argument is the object or the class, which has no type."""
    return {
        node
        for cls in ast.walk(tree)
        if isinstance(cls, ast.ClassDef)
        for node in cls.body
        if isinstance(node, Function) and "staticmethod" not in {ast.unparse(d) for d in node.decorator_list}
    }


def test_every_module_and_public_name_has_a_docstring() -> None:
    bare = [path for path, tree in MODULES.items() if not ast.get_docstring(tree)]
    bare += [f"{path}: {found}" for path, tree in MODULES.items() for found in without_docstring(tree)]
    assert bare == []


def test_every_function_has_its_types() -> None:
    untyped = {(path, f): names for path, tree in MODULES.items() for f, names in without_types(tree).items()}
    assert untyped == {}


def imported(tree: ast.Module) -> set[str]:
    """Names that a module imports, however deep in it; "." for what is relative to it."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add("." * node.level + (node.module or ""))
    return found


def test_the_package_imports_nothing_from_the_book_the_runs_or_the_tests() -> None:
    """Nor finds them by a path: it works installed, without the repository around it."""
    others = {"book", "runs", "tests"}
    others |= {path.stem for path in (REPOSITORY / "book" / "_ext").glob("*.py")}
    for path, tree in MODULES.items():
        roots = {module.split(".")[0] for module in imported(tree)}
        assert roots & others == set(), path
        names = {ast.unparse(node) for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
        assert names & {"sys.path", "runpy.run_path", "importlib.import_module"} == set(), path


def test_an_import_is_found_however_it_is_written() -> None:
    tree = ast.parse("import tests.a, os\ndef f() -> None:\n  from book._ext import online\n  from . import b")
    assert imported(tree) == {"tests.a", "os", "book._ext", "."}


def test_what_is_wanting_is_found() -> None:
    tree = ast.parse("class A:\n  def f(self, x: int): ...\n  @staticmethod\n  def g(y, *, z: int) -> int: ...")
    assert without_docstring(tree) == ["A", "A.f", "A.g"]
    assert without_types(tree) == {"f, line 2": ["return"], "g, line 4": ["y"]}
