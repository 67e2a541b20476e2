"""Every mutant of the house and what kills it, as a table: `python -m tests.faults.list_mutants > docs/mutants.md`.

Read from the tests themselves: what is altered and the story that is told stand in a test's body, and the promise that
has to break in its `breaks(…)`. That each is really killed is what the test shows.
"""

import ast
from collections.abc import Callable, Iterator
from pathlib import Path

TESTS = Path(__file__).parents[1]
FILE = TESTS.parent / "docs" / "mutants.md"
HEAD = """\
# Mutants

Each line is the house with one guard taken out (or with every guard that backs it, where there are several) and the
promise that breaks there: the test that tells the same story of the whole house would notice. Made by
`python -m tests.faults.list_mutants > docs/mutants.md`, and compared with the tests by tests/faults/test_every_case.py;
every line is a test that passes.

| the house | what kills it | where |
|---|---|---|
"""
BACKED = """
## Where a second guard still holds

One guard taken out, the same story told, and every promise kept: the other one is no ornament.

| the house | where |
|---|---|
"""
Test = ast.FunctionDef | ast.AsyncFunctionDef


def table() -> str:
    killed = [_row(_sentence(test), _in_words(_promises(test)), file) for test, file in _tests(_breaks)]
    backed = [_row(_sentence(test), file) for test, file in _tests(_still_holds)]
    return "".join([HEAD, *killed, BACKED, *backed])


def _tests(are_meant: Callable[[Test], bool]) -> Iterator[tuple[Test, str]]:
    for file in sorted(TESTS.rglob("test_*.py")):
        for test in ast.parse(file.read_text(encoding="utf-8")).body:
            if isinstance(test, Test) and test.name.startswith("test_") and are_meant(test):
                yield test, str(file.relative_to(TESTS.parent))


def _breaks(test: Test) -> bool:
    return any(_promises(test))


def _still_holds(test: Test) -> bool:
    """It takes a guard out, says that another holds, and expects no promise to break."""
    return "_still_" in test.name and any(map(_is_a_mutant, ast.walk(test))) and not _breaks(test)


def _is_a_mutant(node: ast.AST) -> bool:
    """`mutants.sql(…)`, or a whole database of its own."""
    return isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "mutants"


def _promises(test: Test) -> Iterator[str]:
    """The words of `breaks("…")`."""
    for node in ast.walk(test):
        match node:
            case ast.Call(func=ast.Name("breaks") | ast.Attribute(attr="breaks"), args=[ast.Constant(str(words))]):
                yield words


def _sentence(test: Test) -> str:
    words = test.name.removeprefix("test_").replace("_s_", "’s ").replace("_", " ")
    return words[0].upper() + words[1:]


def _in_words(promises: Iterator[str]) -> str:
    return ", ".join(f"“{promise}”" for promise in promises)


def _row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |\n"


if __name__ == "__main__":
    print(table(), end="")
