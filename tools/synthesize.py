"""Synthetic lesions in scans: see them, write them, and fit them to real ones.

Examples:
    python tools/synthesize.py preview ct.nii.gz --mask organs.nii.gz --label 5 --out a
    python tools/synthesize.py generate RAW --organ liver --count 4 --out synthetic
    python tools/synthesize.py calibrate RAW --out organ.json
    python tools/synthesize.py fit-prior RAW --out prior.json
    python tools/synthesize.py analyze RAW --out statistics

INPUT is an image with --mask, two folders of equal names, or a folder that holds
public collections (LiTS, MSD, KiTS, BTCV, ...). Exit codes: 0 done, 2 the call or the
input is wrong, 3 done but some scans failed (each is named), 130 interrupted (generate
goes on where it stopped).
"""

import argparse
import json
import logging
import sys

from mmmed.preparation.organ_scans import find_organ_scans
from mmmed.preparation.synthesis_verbs import VERBS, run_verb
from mmmed.reporting.synthesis_figures import write_montage, write_tumor_files
from mmmed.synthesis.specification import RECIPES
from mmmed.visualization.lesion_montage import MontageItem


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add('verb', choices=VERBS, help='what to do')
    add('input', metavar='INPUT', help='image, folder of images, or of collections')
    add('--out', required=True, help='folder; a JSON file of calibrate and fit-prior')
    add('--mask', help='label map of the image, or folder of label maps')
    add('--label', type=int, nargs='+', default=(), metavar='N', help='of the organ')
    add('--organ', choices=('liver', 'pancreas', 'kidney'), default='liver')
    add('--recipe', choices=RECIPES, default='full', help='of lesions (full)')
    add('--type', help='such as tiny or mix (generate: drawn; preview: each)')
    add('--prior', metavar='JSON', help='of positions, from fit-prior')
    add('--count', type=int, default=1, help='synthetic scans a source (1)')
    add('--seeds', type=int, default=2, help='scans of each type in a preview (2)')
    add('--components', type=int, default=1, help='of the fitted mixture (1)')
    add('--kind', choices=('normal', 'ellipsoid'), default='normal', help='of a prior')
    add('--min-voxels', type=int, default=8, help='smaller tumors do not count (8)')
    add('--seed', type=int, default=0)
    add('--workers', type=int, default=1, help='threads (1)')
    add('--json', action='store_true', help='result as JSON in the last line')
    add('--debug', action='store_true', help='show the traceback of an error')
    add('-q', '--quiet', action='store_true', help='only errors')
    return parser.parse_args(argv)


def run(args: argparse.Namespace) -> tuple[dict, int]:
    """Do what was asked; returns a summary and the exit code."""
    where = {'organ': args.organ, 'mask': args.mask, 'labels': args.label}
    scans = find_organ_scans(args.input, **where)
    done = run_verb(args.verb, scans, vars(args))
    summary = done.summary
    if args.verb == 'preview':
        items = [MontageItem(*panel) for panel in done.panels]
        path = f'{args.out}/{args.recipe}_{args.organ}.png'
        title = f'Synthetic lesions, recipe {args.recipe}, {args.organ}'
        summary |= {'montage': str(write_montage(items, path, title=title))}
    elif args.verb == 'analyze':
        files = write_tumor_files(done.rows, summary, args.out)
        summary = summary | {'files': [path.name for path in files]}
    return summary, done.exit_code


def main(argv: list[str] | None = None) -> int:
    """Run the tool and return its exit code."""
    args = parse_args(argv)
    level = 'ERROR' if args.quiet else 'INFO'
    logging.basicConfig(format='%(message)s', level=level, stream=sys.stderr)
    try:
        summary, code = run(args)
    except KeyboardInterrupt:
        print('interrupted; the same call goes on', file=sys.stderr)
        return 130
    except (OSError, ValueError, ImportError) as error:
        if args.debug:
            raise
        print(f'error: {error}', file=sys.stderr)
        return 2
    if args.json:
        print(json.dumps(summary))
    elif not args.quiet:
        print(', '.join(f'{key} {value}' for key, value in summary.items()))
    return code


if __name__ == '__main__':
    sys.exit(main())
