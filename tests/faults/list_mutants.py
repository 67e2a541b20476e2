"""Every mutant of the house and what kills it, as a table: `python -m tests.faults.list_mutants > docs/mutants.md`.

Read from the tests themselves. Whoever takes a guard out says so in the test's name; what is altered, the story that is
told and the promise that breaks stand in its body. That each is really killed is what the test shows.
"""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

TESTS = Path(__file__).parents[1]
HEAD = """\
# Mutants

Each line is the house with one guard taken out (or with every guard that backs it, where there are several) and the
promise that breaks there: the test that tells the same story of the whole house would notice. Where a second guard
still holds, the test shows that too. Made by `python -m tests.faults.list_mutants > docs/mutants.md`; every line is a
test that passes.

| the house | what kills it | where |
|---|---|---|"""


@dataclass(frozen=True)
class Mutant:
    house: str
    promises: tuple[str, ...]
    file: Path

    def as_row(self) -> str:
        killed_by = ", ".join(f"“{promise}”" for promise in self.promises) or "the test’s own assertions"
        return f"| {self.house} | {killed_by} | {self.file.relative_to(TESTS.parent)} |"


def main() -> None:
    print(HEAD)
    for mutant in every_mutant():
        print(mutant.as_row())


def every_mutant() -> Iterator[Mutant]:
    for file in sorted(TESTS.rglob("test_*.py")):
        for test in ast.parse(file.read_text()).body:
            if isinstance(test, ast.FunctionDef | ast.AsyncFunctionDef) and _is_of_a_mutant(test):
                yield Mutant(_sentence(test.name), tuple(_promises(test)), file)


def _is_of_a_mutant(test: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    """It sends other SQL, takes a wall out of a database, or expects a promise to break."""
    return test.name.startswith("test_") and any(map(_alters, ast.walk(test)))


def _alters(node: ast.AST) -> bool:
    match node:
        case ast.Attribute(value=ast.Name(id="mutants")):
            return True
        case ast.Call(func=ast.Name(id="breaks")):
            return True
        case ast.Call(func=ast.Attribute(attr="raises"), args=[ast.Name(id="AssertionError"), *_]):
            return True
    return False


def _promises(test: ast.AST) -> Iterator[str]:
    """The words of `breaks("…")`, and of `pytest.raises(…, match="…")`."""
    for node in ast.walk(test):
        if not isinstance(node, ast.Call):
            continue
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        words = node.args[:1] if name == "breaks" else [k.value for k in node.keywords if k.arg == "match"]
        yield from (word.value for word in words if isinstance(word, ast.Constant) and isinstance(word.value, str))


def _sentence(name: str) -> str:
    words = re.sub(r"^test_", "", name).replace("_s_", "’s ").replace("_", " ")
    return words[0].upper() + words[1:]


if __name__ == "__main__":
    main()
