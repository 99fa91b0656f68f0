"""Classify regions of interest with one model or an ensemble of many.

Example:
    python tools/classify.py --models work_dirs/crn data/lesions results/crn
    python tools/classify.py --models work_dirs/cross_validation/RECIPE data/lesions \
results/folds --role test --ensemble vote
    python tools/classify.py --models RUN data/new results/b --compare-with results/a

Every folder below WORK_DIR that holds a checkpoint is one model; each says itself what
it was trained on. Finished models are not run again.

Exit codes: 0 done, 2 the call or the input is wrong, 3 done but some cases failed
(named in the report), 130 interrupted (the same command goes on).
"""

import argparse
import json
import logging
import sys
from pathlib import Path
from typing import Any

from mmmed import inference
from mmmed.files import write_json_atomic


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add('--models', nargs='+', required=True, metavar='WORK_DIR', type=Path)
    add('paths', nargs='*', metavar='INPUT OUT', type=Path, help='prepared folder, out')
    add('--checkpoint', choices=('best', 'last'), default='best', help='(best)')
    add('--ensemble', choices=('mean', 'vote', 'weighted'), default='mean')
    text = 'of --ensemble weighted, by model name; default: by their validation'
    add('--weights', nargs='+', type=float, metavar='W', help=text)
    add('--uncalibrated', action='store_true', help='apply no temperature')
    text = 'each model answers only these cases of its own fold, such as test'
    add('--role', help=text)
    add('--device', help='such as cuda:0 (cuda if there is one, else cpu)')
    add('--batch-size', type=int, default=8, help='regions at a time (8)')
    add('--workers', type=int, default=0, help='processes that read (0)')
    add('--num-resamples', type=int, default=1000, help='of the intervals (1000)')
    add('--seed', type=int, default=0, help='likewise (0)')
    add('--compare-with', type=Path, metavar='OUT', help='results of another run')
    add('--overwrite', action='store_true', help='make finished answers anew')
    add('--dry-run', action='store_true', help='list the models, write nothing')
    add('--json', action='store_true', help='summary as JSON in the last line')
    add('--debug', action='store_true', help='show the traceback of an error')
    add('-q', '--quiet', action='store_true')
    args = parser.parse_args(argv)
    # "--models A B INPUT OUT": the option takes all that follows it.
    if not args.paths and len(args.models) > 2:
        args.models, args.paths = args.models[:-2], args.models[-2:]
    if len(args.paths) != 2:
        parser.error('expected --models WORK_DIR [WORK_DIR ...] INPUT OUT')
    return args


def run(args: argparse.Namespace) -> tuple[int, dict[str, Any]]:
    """Do what the call says; returns exit code and summary."""
    source, out = args.paths
    options = inference.parse_classification(vars(args))
    if args.dry_run:
        found = inference.list_models(args.models, options)
        return 0, {name: str(path) for name, path in found.items()}
    outcome = inference.classify_regions(args.models, source, out, options)
    if args.compare_with:
        comparison = inference.compare_folders(out, args.compare_with)
        write_json_atomic(out / 'comparison.json', comparison)
    return outcome.exit_code, outcome.summarize()


def main(argv: list[str] | None = None) -> int:
    """Run the tool and return its exit code."""
    args = parse_args(argv)
    logging.basicConfig(format='%(message)s', stream=sys.stderr)
    inference.hush_host()
    try:
        code, summary = run(args)
    except KeyboardInterrupt:
        print('interrupted; the same command goes on from here', file=sys.stderr)
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
