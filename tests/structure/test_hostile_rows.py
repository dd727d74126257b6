"""The tables of hostile requests only grow: their rows are counted as they are written, without running any."""
import ast
import glob
import os

import pytest

FOLDER = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", "e2e"))
AT_LEAST = 200


def names_in(nodes):
    return {node.id for one in nodes for node in ast.walk(one) if isinstance(node, ast.Name)}


def tables_of(text):
    """{name: rows} of the literal lists and dicts at the top of a module that its tests are parametrized by."""
    module = ast.parse(text)
    decorators = [decorator for node in module.body if isinstance(node, ast.FunctionDef) for decorator in node.decorator_list
                  if isinstance(decorator, ast.Call) and ast.unparse(decorator.func) == "pytest.mark.parametrize"]
    used = names_in(decorators)
    return {node.targets[0].id: len(node.value.elts if isinstance(node.value, ast.List) else node.value.keys)
            for node in module.body if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)
            and isinstance(node.value, (ast.List, ast.Dict)) and node.targets[0].id in used}


@pytest.mark.parametrize("text, tables", [
    ("", {}),
    ("ROWS = [1, 2]\ndef test(): pass", {}),
    ("ROWS = [1, 2]\n@pytest.mark.parametrize('row', ROWS)\ndef test(row): pass", {"ROWS": 2}),
    ("A, B = {1: 2}, [3]\nROWS = {1: 2}\n@pytest.mark.parametrize('row', [x for x in ROWS])\ndef test(row): pass", {"ROWS": 1}),
    ("ROWS = [1, 2]\n@pytest.fixture(params=ROWS)\ndef rows(): pass", {}),
])
def test_rows_are_counted(text, tables):
    assert tables_of(text) == tables


def test_there_are_enough_hostile_rows():
    tables = {}
    for path in sorted(glob.glob(os.path.join(FOLDER, "test_hostile*.py"))):
        with open(path, encoding="utf-8") as file:
            tables.update({(os.path.basename(path), name): rows for name, rows in tables_of(file.read()).items()})
    assert sum(tables.values()) >= AT_LEAST, tables
