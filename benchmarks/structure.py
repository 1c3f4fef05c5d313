"""Measure the structure of a Python package: sizes, parameters, docstrings, comments, imports.

    python benchmarks/structure.py              # this checkout
    python benchmarks/structure.py ../other --json
    python benchmarks/structure.py ../other/src/package --package package

Needs the standard library alone and imports nothing of the package, so that any checkout can be
measured, before and after a change.
"""

from __future__ import annotations

import argparse
import ast
import io
import json
import math
import statistics
import tokenize
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

PARAMETERS = 8
"""Functions with more are listed."""

CLASS_LINES = 350
"""Classes with more are listed."""

Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class FunctionSize:
    """A function, its lines without the docstring, its parameters without self and cls."""

    name: str
    lines: int
    parameters: int
    is_command: bool
    is_public: bool
    has_docstring: bool


@dataclass(frozen=True)
class ClassSize:
    """A class and its lines."""

    name: str
    lines: int


@dataclass(frozen=True)
class Module:
    """A parsed module.

    Attributes
    ----------
    name : str
        Dotted, from the package on.
    folder : str
        Of the module, relative to the package's parent.
    source : str
        Text.
    is_package : bool
        An `__init__.py`.
    """

    name: str
    folder: str
    source: str
    is_package: bool

    @cached_property
    def tree(self) -> ast.Module:
        """Syntax tree."""
        return ast.parse(self.source)

    @property
    def lines(self) -> int:
        """All lines, also empty ones."""
        return len(self.source.splitlines())

    @property
    def comment_lines(self) -> int:
        """Lines that hold nothing but a comment."""
        tokens = tokenize.generate_tokens(io.StringIO(self.source).readline)
        return sum(
            token.type == tokenize.COMMENT and token.line.lstrip().startswith("#")
            for token in tokens
        )

    @property
    def classes(self) -> list[ClassSize]:
        """Classes at any depth."""
        return [
            ClassSize(f"{self.name}.{node.name}", _lines(node))
            for node in ast.walk(self.tree)
            if isinstance(node, ast.ClassDef)
        ]

    @property
    def functions(self) -> list[FunctionSize]:
        """Functions and methods at any depth."""
        return list(_functions(self.tree, self.name, _commands(self.tree)))

    def imports(self, known: frozenset[str]) -> tuple[set[str], set[str], int]:
        """Return modules of `known` imported at the top, those inside functions, and a count.

        The count is that of import statements inside functions, of any module.
        Imports under `if TYPE_CHECKING` do not run and are left out.
        """
        top: set[str] = set()
        inside: set[str] = set()
        count = 0
        for node, in_function in _imports(self.tree):
            count += in_function
            (inside if in_function else top).update(self._targets(node, known))
        return top - {self.name}, inside - {self.name}, count

    def _targets(self, node: ast.Import | ast.ImportFrom, known: frozenset[str]) -> Iterator[str]:
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
            yield from (name for name in names if name in known)
            return
        base = node.module or ""
        if node.level:
            parts = self.name.split(".")
            kept = len(parts) - node.level + self.is_package
            base = ".".join([*parts[:kept], *([base] if base else [])])
        for alias in node.names:
            name = f"{base}.{alias.name}"
            if name in known:
                yield name
            elif base in known:
                yield base


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("root", nargs="?", type=Path, default=Path(__file__).parents[1])
    parser.add_argument("--package", default="napari_ptychonn", help="its import name")
    parser.add_argument("--json", action="store_true", help="everything, for programs")
    options = parser.parse_args()
    figures = measure(find_package(options.root, options.package))
    print(json.dumps(figures, indent=2) if options.json else format_figures(figures))


def find_package(root: Path, name: str) -> Path:
    """Return the folder of package `name` in a checkout: the folder itself, or in `src`."""
    for folder in (root / "src" / name, root / name, root):
        if (folder / "__init__.py").exists():
            return folder
    raise SystemExit(f"{root} holds no package {name}")


def read_modules(package: Path) -> list[Module]:
    """Parse every module below a package's folder."""
    modules = []
    for path in sorted(package.rglob("*.py")):
        parts = path.relative_to(package.parent).with_suffix("").parts
        is_package = parts[-1] == "__init__"
        name = ".".join(parts[:-1] if is_package else parts)
        folder = "/".join(path.relative_to(package.parent).parent.parts)
        text = path.read_text(encoding="utf-8")
        modules.append(Module(name, folder, text, is_package))
    return modules


def measure(package: Path) -> dict[str, Any]:
    """Return all figures of a package as plain values."""
    modules = read_modules(package)
    functions = [each for module in modules for each in module.functions]
    classes = sorted((c for m in modules for c in m.classes), key=lambda c: -c.lines)
    sizes = sorted(module.lines for module in modules)
    lengths = sorted(function.lines for function in functions)
    public = [function for function in functions if function.is_public]
    crowded = sorted(
        (f for f in functions if f.parameters > PARAMETERS), key=lambda f: -f.parameters
    )
    ordinary = [function for function in functions if not function.is_command]
    return {
        "package": package.name,
        "modules": len(modules),
        "lines": sum(sizes),
        "module_lines": {"median": statistics.median(sizes), "max": sizes[-1]},
        "largest_module": max(modules, key=lambda m: m.lines).name,
        "folders": _folders(modules),
        "functions": len(functions),
        "function_lines": {
            "median": statistics.median(lengths),
            "p99": lengths[max(0, math.ceil(0.99 * len(lengths)) - 1)],
            "max": lengths[-1],
        },
        "longest_function": max(functions, key=lambda f: f.lines).name,
        "most_parameters": max(f.parameters for f in ordinary),
        "many_parameters": [
            {"name": f.name, "parameters": f.parameters, "command": f.is_command} for f in crowded
        ],
        "longest_class": {"name": classes[0].name, "lines": classes[0].lines} if classes else None,
        "long_classes": [
            {"name": c.name, "lines": c.lines} for c in classes if c.lines > CLASS_LINES
        ],
        **_import_figures(modules),
        "comment_share": sum(m.comment_lines for m in modules) / sum(sizes),
        "docstring_share": sum(f.has_docstring for f in public) / len(public) if public else 1.0,
    }


def format_figures(figures: dict[str, Any]) -> str:
    """Return the figures as lines of text."""
    folders = figures["folders"]
    largest = next(iter(folders))
    sizes, lengths = figures["module_lines"], figures["function_lines"]
    longest = figures["longest_class"] or {"name": "none", "lines": 0}
    lines = [
        f"{figures['package']}: {figures['modules']} modules, {figures['lines']:,} lines",
        f"module lines        median {sizes['median']:g}, max {sizes['max']} "
        f"({figures['largest_module']})",
        f"modules in a folder max {folders[largest]} ({largest}), {len(folders)} folders",
        f"function lines      median {lengths['median']:g}, p99 {lengths['p99']}, "
        f"max {lengths['max']} ({figures['longest_function']})",
        f"most parameters     {figures['most_parameters']} (commands aside)",
        f"longest class       {longest['lines']} lines ({longest['name']})",
        f"imports in functions {figures['imports_in_functions']}, "
        f"of which {len(figures['imports_hiding_a_cycle'])} hide a cycle",
        f"comment lines       {figures['comment_share']:.1%}",
        f"public functions with docstring {figures['docstring_share']:.0%}",
    ]
    for each in figures["many_parameters"]:
        kind = " (command)" if each["command"] else ""
        lines.append(f"  {each['parameters']} parameters: {each['name']}{kind}")
    lines += [f"  {each['lines']} lines: class {each['name']}" for each in figures["long_classes"]]
    lines += [f"  hides a cycle: {each}" for each in figures["imports_hiding_a_cycle"]]
    return "\n".join(lines)


def _folders(modules: Iterable[Module]) -> dict[str, int]:
    """Modules of each folder without its subfolders and `__init__`, most first."""
    counts: dict[str, int] = {}
    for module in modules:
        counts[module.folder] = counts.get(module.folder, 0) + (not module.is_package)
    return dict(sorted(counts.items(), key=lambda item: -item[1]))


def _import_figures(modules: list[Module]) -> dict[str, Any]:
    """Imports inside functions, and those whose target imports the module at the top again."""
    known = frozenset(module.name for module in modules)
    top: dict[str, set[str]] = {}
    inside: dict[str, set[str]] = {}
    count = 0
    for module in modules:
        top[module.name], inside[module.name], inner = module.imports(known)
        count += inner
    cycles = [
        f"{name} -> {target}"
        for name, targets in sorted(inside.items())
        for target in sorted(targets)
        if name in _reachable(target, top)
    ]
    return {"imports_in_functions": count, "imports_hiding_a_cycle": cycles}


def _reachable(start: str, graph: dict[str, set[str]]) -> set[str]:
    """Modules that importing `start` imports, by imports at the top of modules."""
    found: set[str] = set()
    waiting = [start]
    while waiting:
        for name in graph.get(waiting.pop(), set()) - found:
            found.add(name)
            waiting.append(name)
    return found


def _imports(
    node: ast.AST, in_function: bool = False
) -> Iterator[tuple[ast.Import | ast.ImportFrom, bool]]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import | ast.ImportFrom):
            yield child, in_function
        elif isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
            for other in child.orelse:
                yield from _imports(other, in_function)
        else:
            yield from _imports(child, in_function or isinstance(child, Function))


def _functions(node: ast.AST, prefix: str, registered: set[str]) -> Iterator[FunctionSize]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, Function):
            name = f"{prefix}.{child.name}"
            yield FunctionSize(
                name=name,
                lines=_code_lines(child),
                parameters=_count_parameters(child, is_method=isinstance(node, ast.ClassDef)),
                is_command=child.name in registered or any(map(_is_command, child.decorator_list)),
                is_public=not child.name.startswith("_"),
                has_docstring=ast.get_docstring(child) is not None,
            )
            yield from _functions(child, name, registered)
        elif isinstance(child, ast.ClassDef):
            yield from _functions(child, f"{prefix}.{child.name}", registered)
        else:
            yield from _functions(child, prefix, registered)


def _count_parameters(function: Function, *, is_method: bool) -> int:
    given = function.args
    count = len(given.posonlyargs) + len(given.args) + len(given.kwonlyargs)
    count += (given.vararg is not None) + (given.kwarg is not None)
    static = any(ast.unparse(each) == "staticmethod" for each in function.decorator_list)
    return count - (is_method and not static)


def _is_command(decorator: ast.expr) -> bool:
    """True of `@….command` and `@….command(…)`."""
    if isinstance(decorator, ast.Call):
        decorator = decorator.func
    return isinstance(decorator, ast.Attribute) and decorator.attr == "command"


def _commands(tree: ast.Module) -> set[str]:
    """Names of the functions at the top of a module that have options or arguments of typer."""
    return {
        node.name
        for node in tree.body
        if isinstance(node, Function)
        and any(
            "typer." in ast.unparse(argument.annotation)
            for argument in (*node.args.args, *node.args.kwonlyargs)
            if argument.annotation is not None
        )
    }


def _lines(node: ast.ClassDef | Function) -> int:
    return (node.end_lineno or node.lineno) - node.lineno + 1


def _code_lines(function: Function) -> int:
    lines = _lines(function)
    if ast.get_docstring(function) is not None:
        docstring = function.body[0]
        lines -= (docstring.end_lineno or docstring.lineno) - docstring.lineno + 1
    return lines


if __name__ == "__main__":
    main()
