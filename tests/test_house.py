"""The house's rules that a reader relies on, held by walking the files."""

import ast
import importlib.util
import re
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FLOORS = ("domain", "models", "services", "tasks", "web", "sandbox", "bench")

# Who may be imported by whom. A floor may always import itself.
DOWNSTAIRS = {
    "domain": set(),
    "models": {"domain"},
    "services": {"domain", "models"},
    "tasks": {"domain", "models", "services"},
    "web": {"domain", "models", "services", "tasks"},
    "sandbox": {"domain", "models", "services"},
    "bench": set(),
}
MAY_READ_SETTINGS = {"web/app.py", "tasks/worker.py", "tasks/commands.py", "piccolo_conf.py"}
MAY_IMPORT_STRIPE = {"services/stripe_gateway.py"}

PYTHON = [ROOT / "settings.py", ROOT / "piccolo_conf.py"]
for floor in (*FLOORS, "tests"):
    PYTHON += sorted(path for path in (ROOT / floor).rglob("*.py") if "__pycache__" not in path.parts)
PAGES = sorted(path for path in (ROOT / "templates").rglob("*.html") if path.parent.name != "mail")
PARTIALS = [path for path in PAGES if path.name.startswith("_") and path.name not in ("_macros.html", "_page.html")]
OF_NO_FLOOR = {"__future__"}


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def floor_of(path: Path) -> str:
    return path.relative_to(ROOT).parts[0]


def imports(path: Path) -> set[str]:
    """Every module that a file imports, wherever in it, with its full dotted name."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{name(path)}: relative imports hide which floor is meant"
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found - OF_NO_FLOOR


def top(module: str) -> str:
    return module.split(".")[0]


def of_floors(*floors: str) -> list[Path]:
    return [path for path in PYTHON if floor_of(path) in floors]


@pytest.mark.parametrize("path", of_floors(*FLOORS), ids=name)
def test_imports_point_downstairs_only(path):
    ours = {top(module) for module in imports(path)} & {*FLOORS, "tests"}
    assert ours <= DOWNSTAIRS[floor_of(path)] | {floor_of(path)}


@pytest.mark.parametrize("path", of_floors("web"), ids=name)
def test_the_web_knows_of_tasks_only_how_to_ring(path):
    of_tasks = {module for module in imports(path) if top(module) == "tasks"}
    assert all(module.startswith("tasks.queue") for module in of_tasks)


@pytest.mark.parametrize("path", of_floors("domain"), ids=name)
def test_the_domain_needs_nothing_but_the_standard_library(path):
    assert {top(module) for module in imports(path)} <= sys.stdlib_module_names | {"domain"}


@pytest.mark.parametrize("path", of_floors("domain"), ids=name)
def test_the_domain_neither_waits_nor_looks_at_a_clock(path):
    tree = ast.parse(path.read_text())
    assert not [n for n in ast.walk(tree) if isinstance(n, ast.Await | ast.AsyncFunctionDef)]
    calls = {ast.unparse(n.func) for n in ast.walk(tree) if isinstance(n, ast.Call)}
    assert not [call for call in calls if re.search(r"\b(now|utcnow|today|time|monotonic)$", call)]


@pytest.mark.parametrize("path", PYTHON, ids=name)
def test_stripe_has_one_front_door(path):
    if name(path) in MAY_IMPORT_STRIPE or floor_of(path) in ("sandbox", "tests"):
        return
    assert "stripe" not in {top(module) for module in imports(path)}


@pytest.mark.parametrize("path", PYTHON, ids=name)
def test_settings_are_read_at_the_roots_only(path):
    if name(path) in MAY_READ_SETTINGS or floor_of(path) in ("sandbox", "tests") or name(path) == "settings.py":
        return
    loads = [module for module in imports(path) if top(module) == "settings" and module != "settings.Settings"]
    assert not loads


@pytest.mark.parametrize("path", of_floors("services", "tasks", "models", "domain"), ids=name)
def test_nobody_but_the_roots_looks_into_the_environment(path):
    source = ast.parse(path.read_text())
    assert not [n for n in ast.walk(source) if isinstance(n, ast.Attribute) and n.attr in ("environ", "getenv")]


@pytest.mark.parametrize("package", [*FLOORS, "tests", "settings", "piccolo_conf"])
def test_every_package_is_ours_and_not_somebody_s_of_the_same_name(package):
    found = importlib.util.find_spec(package)
    assert found is not None
    assert Path(found.origin).is_relative_to(ROOT)


@pytest.mark.parametrize("path", of_floors(*FLOORS), ids=name)
def test_sql_that_writes_is_not_written_upstairs(path):
    if floor_of(path) not in ("web", "tasks"):
        return
    words = " ".join(
        n.value
        for n in ast.walk(ast.parse(path.read_text()))
        if isinstance(n, ast.Constant) and isinstance(n.value, str)
    )
    assert not re.search(r"\b(INSERT INTO|UPDATE \w+ SET|DELETE FROM)\b", words)


@pytest.mark.parametrize("path", [*of_floors("services"), ROOT / "models/stock.py"], ids=name)
def test_no_decision_hangs_on_the_clock_of_a_transactions_start(path):
    """now() is when the transaction began, before it waited for the lock."""
    assert not re.search(
        r"\b(now\(\)|current_timestamp|transaction_timestamp|localtimestamp)", _sql_of(path), re.IGNORECASE
    )


@pytest.mark.parametrize("path", of_floors(*FLOORS, "tests"), ids=name)
def test_the_counters_move_in_one_place(path):
    # The bench makes a database of its own, 100,000 orders at a time; the guards see every step.
    if name(path) in ("models/stock.py", "bench/many_orders.py") or floor_of(path) == "tests":
        return
    assert not re.search(r"SET\s+(held|sold)\s*=|,\s*(held|sold)\s*=\s*\1", _sql_of(path))


@pytest.mark.parametrize("path", PAGES, ids=name)
def test_no_template_carries_a_script_a_style_or_a_handler(path):
    """The content policy would refuse them; they belong into static files."""
    source = path.read_text()
    assert not re.search(r"<style\b", source, re.IGNORECASE)
    assert not re.search(r"<script\b(?![^>]*\bsrc=)(?![^>]*application/(ld\+)?json)", source, re.IGNORECASE)
    assert not re.search(r"<[^>{]*\s(style|on[a-z]+)\s*=", source, re.IGNORECASE)
    assert "javascript:" not in source.lower()
    assert not re.search(r"\bhx-on\b|=\s*[\"']js:", source)


@pytest.mark.parametrize("path", PARTIALS, ids=name)
def test_a_partial_is_one_element(path):
    assert len(Roots(path.read_text()).found) == 1


def test_no_file_names_a_registry_or_a_machine():
    hosts = re.compile(
        "|".join(("py" + r"pi\.org", "python" + r"hosted\.org", "registry" + r"\.npm" + "js", "deb" + r"\.debian"))
    )
    machine = re.compile(r"/" + r"work/|\.\./" + "shared")
    for path in _text_files():
        text = path.read_text(errors="replace")
        assert not hosts.search(text), name(path)
        assert not machine.search(text), name(path)


def test_every_test_folder_is_a_package():
    """A dependency installs a top-level `tests`: ours must not be mixed up with it."""
    folders = {path.parent for path in (ROOT / "tests").rglob("test_*.py")}
    assert not [name(folder) for folder in folders if not (folder / "__init__.py").exists()]


class Roots(HTMLParser):
    """The elements at the top of a template, seen past Jinja's marks. A macro that is all there is counts as one."""

    VOID = frozenset("area base br col embed hr img input link meta source track wbr".split())

    def __init__(self, source: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self._depth = 0
        source = re.sub(r"{#.*?#}|{% set \w+ %}.*?{% endset %}|{%.*?%}", "", source, flags=re.DOTALL)
        if re.fullmatch(r"\s*{{[^{}]*}}\s*", source):
            self.found.append("macro")
        self.feed(re.sub(r"{{.*?}}", "", source, flags=re.DOTALL))

    def handle_starttag(self, tag: str, attrs: list) -> None:
        if not self._depth:
            self.found.append(tag)
        self._depth += tag not in self.VOID

    def handle_startendtag(self, tag: str, attrs: list) -> None:
        if not self._depth:
            self.found.append(tag)

    def handle_endtag(self, tag: str) -> None:
        self._depth -= tag not in self.VOID


def _sql_of(path: Path) -> str:
    """The strings of a file that are no docstrings."""
    tree = ast.parse(path.read_text())
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    docs = {ast.get_docstring(n, clean=False) for n in ast.walk(tree) if isinstance(n, documented)}
    strings = (n.value for n in ast.walk(tree) if isinstance(n, ast.Constant) and isinstance(n.value, str))
    return "\n".join(text for text in strings if text not in docs)


def _text_files() -> list[Path]:
    kinds = {
        ".py",
        ".sql",
        ".html",
        ".css",
        ".js",
        ".md",
        ".toml",
        ".txt",
        ".in",
        ".yml",
        ".yaml",
        ".json",
        ".cfg",
        ".sh",
    }
    left_out = {".git", ".venv", ".foyer", ".mypy_cache", ".ruff_cache", ".hypothesis", "__pycache__", "vendor"}
    return [
        path
        for path in ROOT.rglob("*")
        if path.is_file()
        and (path.suffix in kinds or path.name in ("Makefile", "Dockerfile", "run"))
        and not left_out & set(path.relative_to(ROOT).parts)
    ]
