"""Generate a raw data set with known truth, in the layout of a real download.

Example:
    python tools/make_phantom.py head-ct /tmp/raw --patients 12 --slices 8 --size 256

Exit codes: 0 done, 2 the call is wrong or the folder cannot be written, 130
interrupted.
"""

import argparse
import json
import sys

from tqdm import tqdm

from mmmed.phantoms import make_cohort, write_jpeg_release, write_nifti_release

WRITERS = {'jpeg': write_jpeg_release, 'nifti': write_nifti_release}


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    subjects = parser.add_subparsers(dest='subject', required=True, metavar='SUBJECT')
    head = subjects.add_parser('head-ct', help='head CT with hemorrhage (ct-ich)')
    add = head.add_argument
    add('out', metavar='OUT', help='folder to create')
    add('--patients', type=int, default=12, help='patients (12)')
    add('--slices', type=int, default=8, help='axial slices a patient (8)')
    add('--size', type=int, default=256, help='rows and columns (256)')
    add('--seed', type=int, default=0)
    add('--release', choices=sorted(WRITERS), default='jpeg', help='layout (jpeg)')
    add('--json', action='store_true', help='result as JSON in the last line')
    add('--debug', action='store_true', help='show the traceback of an error')
    add('-q', '--quiet', action='store_true')
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> int:
    """Run the tool and return its exit code."""
    args = parse_args(argv)
    try:
        heads = make_cohort(
            args.patients, slices=args.slices, size=args.size, seed=args.seed
        )
        is_hidden = args.quiet or not sys.stderr.isatty()
        bar = tqdm(
            heads, 'Generating', args.patients, unit='patient', disable=is_hidden
        )
        slices = WRITERS[args.release](args.out, bar)
    except KeyboardInterrupt:
        print(f'interrupted; remove {args.out} and start again', file=sys.stderr)
        return 130
    except (OSError, ValueError) as error:
        if args.debug:
            raise
        print(f'error: {error}', file=sys.stderr)
        return 2
    if not args.quiet:
        print(f'wrote {args.patients} patients, {slices} slices to {args.out}')
    if args.json:
        print(
            json.dumps({'patients': args.patients, 'slices': slices, 'out': args.out})
        )
    return 0


if __name__ == '__main__':
    sys.exit(main())
