"""What a command line asks for, in the words of this room; not here: doing it."""

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from mmmed.evaluation.folder_evaluation import FolderOptions
from mmmed.evaluation.score_options import ScoreOptions, parse_labels
from mmmed.evaluation.score_summary import SummaryOptions
from mmmed.functional.organ_rule import OrganRule
from mmmed.functional.overlap import EmptyPolicy


def parse_call(
    args: Mapping[str, Any],
) -> tuple[ScoreOptions, FolderOptions, SummaryOptions]:
    """Sort the options of ``tools/evaluate.py`` by whom they concern.

    Args:
        args: By the names of the options, ``-`` as ``_``; None takes the default.

    Raises:
        ValueError: A value is out of its range.
    """
    said = {name: value for name, value in args.items() if value is not None}
    said['policy'] = EmptyPolicy(
        both_empty=_parse_both_empty(args['both_empty']),
        pred_empty=_check_share(args['pred_empty'], '--pred-empty'),
        target_empty=_check_share(args['target_empty'], '--target-empty'),
    )
    said['labels'] = parse_labels(args['labels'])
    if 'keep_near' in said:
        said['keep_near'] = OrganRule.parse(said['keep_near'])
    return (
        ScoreOptions(**_pick(ScoreOptions, said)),
        FolderOptions(**_pick(FolderOptions, said)),
        SummaryOptions(**_pick(SummaryOptions, said)),
    )


def _pick(form: Any, said: Mapping[str, Any]) -> dict[str, Any]:
    return {f.name: said[f.name] for f in fields(form) if f.name in said}


def _parse_both_empty(text: str) -> float | None:
    if text == 'out':
        return None
    try:
        value = float(text)
    except ValueError as error:
        raise ValueError(
            f"--both-empty is {text!r}, expected 'out' or a score from 0 to 1"
        ) from error
    return _check_share(value, '--both-empty')


def _check_share(value: float, name: str) -> float:
    if not 0 <= value <= 1:
        raise ValueError(f'{name} is {value}, expected a score from 0 to 1')
    return value
