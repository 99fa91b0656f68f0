"""Values of a run's dumped config: parsed, never executed.

Not here: what they mean (``exposure``, ``study_budget``).
"""

import ast
from pathlib import Path
from typing import Any


def list_training_configs(work_dir: Path) -> list[Path]:
    """Configs that a run left behind, the one of its latest training first."""
    # The config beside the training log belongs to the training for certain; the
    # one in the work folder is overwritten by each test.
    logged = [
        path.with_name('config.py')
        for path in sorted(work_dir.glob('*/vis_data/scalars.json'), reverse=True)
        if '"lr"' in path.read_text(encoding='utf-8', errors='replace')
    ]
    return [*logged, *sorted(work_dir.glob('*.py'))]


def read_assignment(path: Path, name: str) -> Any:
    """Literal value that a config file assigns to a name at its top level, or None.

    Raises:
        OSError: The file cannot be read.
        ValueError: It is not UTF-8, or holds a null byte.
        SyntaxError: It is no Python file.
        RecursionError: It is nested too deeply.
    """
    for statement in ast.parse(path.read_text(encoding='utf-8')).body:
        if isinstance(statement, ast.Assign):
            names = [t.id for t in statement.targets if isinstance(t, ast.Name)]
            if name in names:
                return _read_literal(statement.value)
    return None


def _read_literal(node: ast.expr) -> Any:
    """Value of a literal, with ``dict(...)`` calls; anything else becomes None."""
    if isinstance(node, ast.Call):
        named = {k.arg: _read_literal(k.value) for k in node.keywords if k.arg}
        is_dict = isinstance(node.func, ast.Name) and node.func.id == 'dict'
        return named if is_dict else None
    if isinstance(node, ast.Dict):
        return {
            key.value: _read_literal(value)
            for key, value in zip(node.keys, node.values, strict=True)
            if isinstance(key, ast.Constant)
        }
    if isinstance(node, ast.List | ast.Tuple):
        return [_read_literal(item) for item in node.elts]
    try:
        return ast.literal_eval(node)
    except ValueError:
        return None
