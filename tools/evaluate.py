"""Score predicted masks against references, case by case.

Examples:
    python tools/evaluate.py masks/ labels/ --out scores/ --labels liver=1 tumor=2
    python tools/evaluate.py a/ labels/ --out scores/ --compare b/ --plane axial

The case is the file name without its suffix; for other names say where it stands:
--ref-pattern '{case}/seg'. A prediction that is missing counts as a miss.

Exit codes: 0 done, 2 the call or the input is wrong, 3 done but some cases failed
(each is named), 130 interrupted (the same command goes on).
"""

import argparse
import json
import logging
import os
import sys
from pathlib import Path
from typing import Any

from mmmed.evaluation.call import parse_call
from mmmed.evaluation.folder_evaluation import evaluate_folders
from mmmed.evaluation.score_lines import format_scores


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add('pred', type=Path, metavar='PRED', help='folder of predicted masks')
    add('ref', type=Path, metavar='REF', help='folder of reference masks')
    add('--out', type=Path, required=True, metavar='DIR')
    add('--labels', nargs='+', default=(), metavar='NAME=VALUE', help='(all values)')
    add('--tolerance-mm', type=float, default=2, help='of the surface Dice (2)')
    add('--plane', choices=('axial', 'coronal', 'sagittal'), help='score slices too')
    add('--compare', type=Path, metavar='PRED_B', help='compare with these, in pairs')
    add('--connectivity', type=int, choices=(6, 18, 26), default=6, help='lesions (6)')
    add('--criterion', choices=('overlap', 'greedy', 'optimal'), default='overlap')
    add('--min-iou', type=float, default=0.5, help='of greedy and optimal pairs (0.5)')
    add('--both-empty', default='out', metavar='SCORE', help='(out of the mean)')
    add('--pred-empty', type=float, default=0, metavar='SCORE', help='missed (0)')
    add('--target-empty', type=float, default=0, metavar='SCORE', help='invented (0)')
    add('--ignore-label', type=int, metavar='VALUE', help='of REF, not counted')
    sizes = parser.add_mutually_exclusive_group().add_argument
    sizes('--strata-mm3', type=float, nargs='+', metavar='MM3', help='bounds of sizes')
    text = 'or of their radii, such as 5 10 20'
    sizes('--strata-radius-mm', type=float, nargs='+', metavar='MM', help=text)
    text = 'score the largest organ, and lesions only within MM of it'
    add('--keep-near', nargs=3, metavar=('ORGAN', 'LESION', 'MM'), help=text)
    add('--groups', type=Path, metavar='FILE', help='CSV: case_id, patient_id, site...')
    add('--pred-pattern', default='{case}', metavar='PATH')
    add('--ref-pattern', dest='target_pattern', default='{case}', metavar='PATH')
    add('--allow-missing-reference', action='store_true', help='leave them out')
    add('--seed', type=int, default=0, help='of the bootstrap (0)')
    add('--workers', type=int, default=min(4, os.cpu_count() or 1), help='processes')
    add('--overwrite', action='store_true', help='replace other results')
    add('--json', action='store_true', help='summary as JSON in the last line')
    add('--debug', action='store_true', help='show the traceback of an error')
    add('-q', '--quiet', action='store_true')
    return parser.parse_args(argv)


def run(args: argparse.Namespace) -> tuple[int, list[str], dict[str, Any]]:
    """Score and write: exit code, lines for people, summary."""
    outcome = evaluate_folders(args.pred, args.ref, args.out, *parse_call(vars(args)))
    from mmmed.reporting import write_score_report  # loads matplotlib: after the work

    lines = [*format_scores(outcome.summary), f'wrote {write_score_report(args.out)}']
    return outcome.exit_code, lines, outcome.summary


def main(argv: list[str] | None = None) -> int:
    """Run the tool and return its exit code."""
    args = parse_args(argv)
    logging.basicConfig(format='%(message)s', level=logging.INFO, stream=sys.stderr)
    try:
        code, lines, summary = run(args)
    except KeyboardInterrupt:
        print('interrupted; the same command goes on from here', file=sys.stderr)
        return 130
    except (OSError, ValueError, ImportError) as error:
        if args.debug:
            raise
        print(f'error: {error}', file=sys.stderr)
        return 2
    if not args.quiet:
        print('\n'.join(lines))
    if args.json:
        print(json.dumps(summary))
    return code


if __name__ == '__main__':
    sys.exit(main())
