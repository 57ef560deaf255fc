"""Where in a Python file an object or a named region stands, so that a page need not say lines.

An object is ``read``, ``StreamReader`` or ``StreamReader.feed``, or a name that is assigned, like
``METHODS``. The comment lines directly above it and its decorators belong to it. A region is what
stands between ``# region: NAME`` and ``# endregion: NAME``, for code that has no name of its own.
"""

import ast
import re

__all__ = ["find_object", "find_region"]


def find_object(code: str, name: str) -> tuple[int, int]:
    """First and last line of the object; ``LookupError`` where ``code`` has none of that name."""
    body, first, last = ast.parse(code).body, 0, 0
    for part in name.split("."):
        node = next((node for node in body if part in _names(node)), None)
        if node is None:
            raise LookupError(f"no object '{name}'")
        first = min([node.lineno, *(d.lineno for d in getattr(node, "decorator_list", []))])
        last = node.end_lineno or node.lineno
        body = getattr(node, "body", [])
    lines = code.splitlines()
    while first > 1 and lines[first - 2].lstrip().startswith("#"):
        first -= 1
    return first, last


def find_region(code: str, name: str) -> tuple[int, int]:
    """First and last line inside the markers; ``LookupError`` unless there is exactly one pair."""
    pattern = rf"^ *# (end)?region: {re.escape(name)} *$"
    marks = [
        (number, match[1])
        for number, line in enumerate(code.splitlines(), 1)
        if (match := re.match(pattern, line))
    ]
    match marks:
        case [(begin, None), (end, "end")] if end > begin + 1:
            return begin + 1, end - 1
    raise LookupError(f"no region '{name}', or not one of it")


def _names(node: ast.stmt) -> list[str]:
    """The names that a statement of a module or a class gives to something."""
    match node:
        case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
            return [node.name]
        case ast.Assign():
            return [target.id for target in node.targets if isinstance(target, ast.Name)]
        case ast.AnnAssign(target=ast.Name(id=name)):
            return [name]
    return []
