"""Turn a raw download into a prepared folder with a manifest.

Examples:
    python tools/prepare_dataset.py cranium RAW --out data/cranium --workers 4
    python tools/prepare_dataset.py atlas RAW --out data/atlas --num-parts 8 --part-id 0
    python tools/prepare_dataset.py atlas RAW --out data/atlas --num-parts 8 --merge
    python tools/prepare_dataset.py liver RAW --out data/liver --write-datalists

Exit codes: 0 done, 2 the call or the raw data is wrong (nothing was written), 3 done
but some raw files had to be skipped (each is named), 130 interrupted.
"""

import argparse
import json
import logging
import os
import sys

from mmmed.preparation import BasePreparer, InputError
from mmmed.registry import PREPARERS

# Of the run; everything else is the preparer's.
RUN = ('workers', 'strict', 'overwrite', 'dry_run', 'quiet')
PARTS = ('num_parts', 'part_id', 'merge')


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Command line, one subcommand for each data set."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    subjects = parser.add_subparsers(dest='subject', required=True, metavar='SUBJECT')
    for name, preparer in sorted(PREPARERS.module_dict.items()):
        subject = subjects.add_parser(name, help=preparer.help)
        add_common_arguments(subject)
        preparer.add_arguments(subject.add_argument)
    return parser.parse_args(argv)


def add_common_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments that mean the same for every data set."""
    add = parser.add_argument
    add('raw', metavar='RAW', help='folder of the unpacked download; only read')
    add('--out', required=True, metavar='DIR', help='prepared folder to write')
    add('--val-ratio', type=float, default=0.2, help='share of patients (0.2)')
    add('--val-patients', nargs='+', default=(), metavar='ID', help='choose them')
    add('--folds', dest='num_folds', type=int, default=5, help='number of folds (5)')
    add('--seed', type=int, default=0)
    add('--workers', type=int, default=min(8, os.cpu_count() or 1), help='threads')
    add('--strict', action='store_true', help='stop at the first problem')
    add('--overwrite', action='store_true', help='replace another preparation')
    add('--num-parts', type=int, default=1, metavar='N', help='machines that share')
    add('--part-id', type=int, metavar='K', help='convert the K-th part, from 0')
    add('--merge', action='store_true', help='put finished parts together')
    add('--dry-run', action='store_true', help='read and check all, write nothing')
    add('--json', action='store_true', help='summary as JSON in the last line')
    add('--debug', action='store_true', help='show the traceback of an error')
    level = parser.add_mutually_exclusive_group()
    level.add_argument('-q', '--quiet', action='store_true')
    level.add_argument('-v', '--verbose', action='store_true')


def main(argv: list[str] | None = None) -> int:
    """Run the tool and return its exit code."""
    args = vars(parse_args(argv))
    run = {name: args.pop(name) for name in RUN + PARTS}
    raw, out = args.pop('raw'), args.pop('out')
    subject, as_json = args.pop('subject'), args.pop('json')
    debug, verbose = args.pop('debug'), args.pop('verbose')
    level = 'DEBUG' if verbose else 'WARNING' if run['quiet'] else 'INFO'
    logging.basicConfig(format='%(message)s', stream=sys.stderr)
    logging.getLogger('mmmed').setLevel(level)
    try:
        preparer: BasePreparer = PREPARERS.get(subject)(**args)
        outcome = preparer.prepare(raw, out, **run)
    except KeyboardInterrupt:
        print('interrupted; the same command goes on from here', file=sys.stderr)
        return 130
    except (InputError, OSError) as error:
        if debug:
            raise
        print(f'error: {error}', file=sys.stderr)
        return 2
    if not run['quiet']:
        print(preparer.format_summary(outcome.summary))
        print(outcome, *outcome.exported, sep='\n')
    if as_json:
        fields = {'status': outcome.status, 'out': str(outcome.out)}
        print(json.dumps({**fields, 'reused': outcome.reused, **outcome.summary}))
    return outcome.exit_code


if __name__ == '__main__':
    sys.exit(main())
