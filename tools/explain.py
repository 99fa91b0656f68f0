"""Explain single cases of a classifier, and make the report of a classification.

Example:
    python tools/classify.py --models work_dirs/crn data/lesions results/crn
    python tools/explain.py --model work_dirs/crn data/lesions results/crn \
--cases p01_lesion0 p02_lesion0
    python tools/explain.py --model work_dirs/cross_validation/RECIPE data/lesions out
    python tools/explain.py --pages-only results/crn

Writes report.html, and explanations/CASE.html for each case: Grad-CAM and occlusion of
every sequence, what is lost without a sequence, routing, relay and attention of a
routing network, and what the type would be without a sign. Without --cases: the surest
errors and right answers of predictions.csv. Explained cases are not explained again.

Exit codes: 0 done, 2 the call or the input is wrong, 3 done but some cases failed
(named in the output), 130 interrupted.
"""

import argparse
import json
import logging
import sys
from pathlib import Path
from typing import Any

from mmmed import inference
from mmmed.reporting import write_classification_report


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add('paths', nargs='+', metavar='INPUT OUT', type=Path, help='prepared folder, out')
    text = 'work folder or checkpoint; all models below it answer together'
    add('--model', metavar='WORK_DIR', type=Path, help=text)
    add('--cases', nargs='+', default=[], metavar='CASE', help='names of cases')
    add('--target', help='what cases are about (that of the relay, or type)')
    add('--maps-of', nargs='+', default=[], metavar='TARGET', help='maps of these too')
    add('--block', nargs=3, type=int, metavar=('Z', 'Y', 'X'), help='voxels hidden')
    add('--stride', nargs=3, type=int, metavar=('Z', 'Y', 'X'), help='block to block')
    add('--fill', choices=('mean', 'zero'), default='mean', help='of blocks (mean)')
    add('--no-occlusion', action='store_true', help='hide no blocks, which is faster')
    add('--checkpoint', choices=('best', 'last'), default='best', help='(best)')
    add('--uncalibrated', action='store_true', help='apply no temperature')
    add('--device', help='such as cuda:0 (cuda if there is one, else cpu)')
    add('--batch-size', type=int, default=16, help='variants at a time (16)')
    add('--overwrite', action='store_true', help='explain finished cases anew')
    add('--pages-only', action='store_true', help='only make the pages of OUT')
    add('--json', action='store_true', help='summary as JSON in the last line')
    add('--debug', action='store_true', help='show the traceback of an error')
    add('-q', '--quiet', action='store_true')
    args = parser.parse_args(argv)
    if len(args.paths) != (1 if args.pages_only else 2):
        parser.error('expected INPUT OUT, or --pages-only OUT')
    if not args.pages_only and args.model is None:
        parser.error('expected --model WORK_DIR')
    return args


def run(args: argparse.Namespace) -> tuple[int, dict[str, Any]]:
    """Do what the call says; returns exit code and summary."""
    out, code, summary = args.paths[-1], 0, {}
    if not args.pages_only:
        options = inference.parse_explanation(vars(args))
        outcome = inference.explain_cases(
            args.model, args.paths[0], out, args.cases, options
        )
        code = outcome.exit_code
        counts = {'explained': len(outcome.written), 'kept': len(outcome.kept)}
        summary = {**counts, 'failed': dict(outcome.failed)}
    return code, summary | {'report': str(write_classification_report(out))}


def main(argv: list[str] | None = None) -> int:
    """Run the tool and return its exit code."""
    args = parse_args(argv)
    logging.basicConfig(format='%(message)s', stream=sys.stderr)
    inference.hush_host()
    try:
        code, summary = run(args)
    except KeyboardInterrupt:
        print('interrupted; nothing is half-written', file=sys.stderr)
        return 130
    except (OSError, ValueError, ImportError) as error:
        if args.debug:
            raise
        print(f'error: {error}', file=sys.stderr)
        return 2
    if not args.quiet:
        print(', '.join(f'{k} {v}' for k, v in summary.items()))
    if args.json:
        print(json.dumps(summary))
    return code


if __name__ == '__main__':
    sys.exit(main())
