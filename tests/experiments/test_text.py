import ast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmmed.experiments.text import (
    Variable,
    format_value,
    write_config_text,
)

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text(max_size=12),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=6,
)


@settings(max_examples=20, deadline=None)
@given(st.dictionaries(st.from_regex(r'\A[a-z]{1,8}\Z'), VALUES, max_size=3))
def test_text_says_what_the_value_is(value):
    text = format_value(value)
    found = eval(text, {'__builtins__': {}, 'dict': dict, 'inf': float('inf')})
    assert found == value


def test_long_values_are_broken_and_variables_bare():
    value = {
        'type': 'a' * 40,
        'parts': [{'b': 'c' * 40, 'class': 1}],
        'p': Variable('x'),
    }
    text = format_value(value)
    assert max(map(len, text.splitlines())) <= 88
    assert text.endswith('    p=x,\n)')
    assert "{'b': " in text


def test_comments_stay_comments():
    evil = 'a"""\nimport os\n# {{$HOME:}} \\'
    text = write_config_text({'a': 1}, bases=['b.py'], title=evil, comments=[evil])
    (first, *rest) = ast.parse(text).body
    assert isinstance(first, ast.Expr)
    assert [type(node) for node in rest] == [ast.Assign, ast.Assign]
    assert '{{' not in text


def test_refuses_what_is_not_plain():
    with pytest.raises(ValueError, match='object'):
        format_value({'a': object()})
