"""Split cases by patient into hold-out and folds, balanced; or audit a split.

Examples:
    python tools/make_splits.py cases.csv --out splits.json --stratify volume_ml:q5 site
    python tools/make_splits.py data.json --roles --stratify targets.type --out s.json
    python tools/make_splits.py --check splits.json --images data/cranium

--stratify NAME takes values as they are, but numbers of more than ten values in
quantile bins; NAME:q5 five of them, NAME:5000,30000 bins with these upper edges.

Exit codes: 0 done, 2 wrong call or table, or a leak, 3 not all compared, 130 stopped.
"""

import argparse
import json
import logging
import sys

from mmmed.preparation.findings import InputError
from mmmed.preparation.split_audit import audit_split
from mmmed.preparation.split_builder import build_split, save_split
from mmmed.preparation.split_report import format_audit, format_balance

SPLIT = ('group', 'case', 'stratify', 'num_folds', 'val_ratio', 'seed', 'has_roles',
         'algorithm')  # fmt: skip
CHECK = ('group', 'case', 'images', 'similarity', 'workers', 'strict', 'quiet')


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Command line."""
    text = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=text)
    add = parser.add_argument
    add('table', nargs='?', help='.csv, .tsv or manifest.json, one row a case')
    add('--out', metavar='FILE', help='split manifest to write, .json')
    add('--group', default='patient_id', help='column never divided (patient_id)')
    add('--id', dest='case', metavar='NAME', help='column of unique names (case_id)')
    add('--stratify', nargs='+', default=(), metavar='NAME', help='columns to balance')
    add('--folds', dest='num_folds', type=int, default=5, help='number of folds (5)')
    add('--val-ratio', type=float, default=0.2, help='hold-out share of cases (0.2)')
    add('--seed', type=int, default=0)
    add('--roles', dest='has_roles', action='store_true', help='folds have test parts')
    add('--algorithm', default='stratified', help='or legacy_random (stratified)')
    add('--apply', metavar='FILE', help='also write the manifest with this split')
    add('--overwrite', action='store_true', help='replace another split')
    add('--dry-run', action='store_true', help='show the balance, write nothing')
    audit = parser.add_argument_group('audit').add_argument
    audit('--check', metavar='FILE', help='audit this split instead')
    audit('--images', metavar='ROOT', help='compare the images in this folder')
    audit('--near', dest='similarity', type=float, metavar='R', help='find alike, 0.98')
    audit('--workers', type=int, default=4, help='threads (4)')
    audit('--strict', action='store_true', help='a warning is an overlap')
    add('--json', action='store_true', help='result as JSON in the last line')
    add('--debug', action='store_true', help='show the traceback of an error')
    add('-q', '--quiet', action='store_true')
    args = parser.parse_args(argv)
    if bool(args.check) == bool(args.table and (args.out or args.dry_run)):
        parser.error('give TABLE and --out FILE, or --check FILE')
    return args


def split(args: argparse.Namespace) -> tuple[int, list[str], dict]:
    """Draw and write a split: exit code, lines for people, result."""
    made = build_split(args.table, **{name: getattr(args, name) for name in SPLIT})
    lines = [*format_balance(made), f'hash {made.hash}']
    if not args.dry_run:
        target = {'apply': args.apply, 'overwrite': args.overwrite}
        lines += save_split(made, args.table, args.out, **target)
    return 0, lines, {'out': args.out, 'hash': made.hash, **made.balance}


def check(args: argparse.Namespace) -> tuple[int, list[str], dict]:
    """Audit a split: likewise."""
    audit = audit_split(args.check, **{name: getattr(args, name) for name in CHECK})
    return audit.exit_code, format_audit(audit), audit.to_dict()


def main(argv: list[str] | None = None) -> int:
    """Run the tool and return its exit code."""
    args = parse_args(argv)
    logging.basicConfig(format='%(message)s', level=logging.INFO, stream=sys.stderr)
    try:
        code, lines, result = check(args) if args.check else split(args)
    except KeyboardInterrupt:
        print('interrupted; nothing half-written', file=sys.stderr)
        return 130
    except (InputError, OSError) as error:
        if args.debug:
            raise
        print(f'error: {error}', file=sys.stderr)
        return 2
    if code or not args.quiet:
        print('\n'.join(lines))
    if args.json:
        print(json.dumps(result))
    return code


if __name__ == '__main__':
    sys.exit(main())
