"""Overlays of the worst and best cases of an evaluation.

Not here: their order (``tables``), drawing (``mmmed.visualization``).
"""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from mmmed.functional.overlap import compute_scores, label_outcomes
from mmmed.io import read_image, read_label
from mmmed.reporting.evaluation_folder import CaseRow, Evaluation
from mmmed.reporting.tables import group_cases
from mmmed.structures.manifest import Case
from mmmed.visualization import encode_figure, plot_overlay
from mmmed.visualization.overlay import UNKNOWN_SIDES


@dataclass(frozen=True)
class Verdict:
    """What happened to one structure of a case.

    Args:
        row: The counts.
        dice: Dice, or None if both sides are empty and the policy leaves that out.
        outcome: See ``label_outcomes``.
    """

    row: CaseRow
    dice: float | None
    outcome: str


@dataclass(frozen=True)
class CaseFigure:
    """One case as it stands in the report.

    Args:
        verdicts: One per structure.
        image: JPEG bytes; None if it could not be drawn.
        problem: Why not, or an empty string.
    """

    verdicts: tuple[Verdict, ...]
    image: bytes | None
    problem: str = ''

    @property
    def row(self) -> CaseRow:
        """The first structure, for the facts that all share."""
        return self.verdicts[0].row


def draw_cases(evaluation: Evaluation, case_ids: Iterable[str]) -> Iterator[CaseFigure]:
    """Draw cases one by one; a case that cannot be drawn says why."""
    cases = evaluation.manifest.cases if evaluation.manifest else ()
    # A volume is no image file that could be shown beside a slice's prediction.
    by_id = {case.case_id: case for case in cases if isinstance(case, Case)}
    grouped = group_cases(evaluation)
    for case_id in case_ids:
        verdicts = tuple(_judge(row, evaluation) for row in grouped[case_id])
        try:
            if case_id not in by_id:
                raise ValueError('the manifest does not list this case')
            image = _draw_case(evaluation, by_id[case_id], verdicts)
        except (OSError, ValueError) as error:
            yield CaseFigure(verdicts, image=None, problem=str(error))
        else:
            yield CaseFigure(verdicts, image=image)


def _judge(row: CaseRow, evaluation: Evaluation) -> Verdict:
    dice = float(compute_scores(row.counts, policy=evaluation.policy)['dice'])
    outcome = str(label_outcomes(row.counts))
    return Verdict(row, None if math.isnan(dice) else dice, outcome)


def _draw_case(
    evaluation: Evaluation, case: Case, verdicts: tuple[Verdict, ...]
) -> bytes:
    # A case of the manifest: its names are checked to be plain and inside the folder.
    root = evaluation.data_root or Path()
    shown = [v.dice for v in verdicts if v.dice is not None]
    dice = f' · Dice {sum(shown) / len(shown):.3f}' if shown else ''
    figure = plot_overlay(
        read_image(root / case.img_path),
        read_label(evaluation.folder / 'pred' / f'{case.case_id}.png'),
        read_label(root / case.seg_map_path),
        title=f'{case.case_id} · patient {case.patient_id} · '
        f'slice {case.slice_index}{dice}',
        spacing=case.spacing,
        sides=get_sides(evaluation),
    )
    return encode_figure(figure, 'jpg')


def get_sides(evaluation: Evaluation) -> tuple[str, str]:
    """Patient sides at the left and right edge of every image of a data set.

    The manifest may say them as ``metainfo.image_sides``, ``["R", "L"]`` where images
    are shown as radiologists look at them; else nothing is claimed.
    """
    metainfo = evaluation.manifest.metainfo if evaluation.manifest else {}
    sides = metainfo.get('image_sides')
    if isinstance(sides, list) and sorted(sides) == ['L', 'R']:
        return sides[0], sides[1]
    return UNKNOWN_SIDES
