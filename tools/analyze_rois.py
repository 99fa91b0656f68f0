"""Tables and figures of prepared lesions: classes by part, sequences that are there.

Example: python tools/analyze_rois.py data/lesions --fold 0

Writes classes.csv (one row a part, target and class), cases.csv (one row a lesion),
classes.png and sequences.png into --out, by default DATA_analysis.

Exit codes: 0 done, 2 the call or the input is wrong, 130 interrupted.
"""

import argparse
import json
import sys
from pathlib import Path

from mmmed.files import write_bytes_atomic, write_csv_atomic
from mmmed.preparation.roi_tables import count_roles, list_rois, tabulate_roles
from mmmed.structures import Manifest
from mmmed.visualization import encode_figure
from mmmed.visualization.class_plots import plot_availability, plot_class_counts


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add('folder', type=Path, metavar='DATA', help='prepared folder')
    add('--out', type=Path, metavar='DIR', help='default: DATA_analysis')
    add('--fold', type=int, help='whose parts; without it those of the hold-out')
    add('--json', action='store_true', help='result as JSON in the last line')
    add('--debug', action='store_true', help='show the traceback of an error')
    add('-q', '--quiet', action='store_true')
    return parser.parse_args(argv)


def analyze(folder: Path, out: Path, fold: int | None) -> list[str]:
    """Write everything; returns the names of the files."""
    manifest = Manifest.read(folder / 'manifest.json')
    counts = count_roles(manifest, fold)
    rows = list_rois(manifest, fold)
    sequences = manifest.metainfo['sequences']
    present = [
        [name in case.img_paths for name in sequences] for case in manifest.cases
    ]
    where = 'hold-out' if fold is None else f'fold {fold}'
    title = f'{folder.name}: labels, {where} (n = {len(rows):,} lesions)'
    figures = {
        'classes.png': plot_class_counts(counts, title=title),
        'sequences.png': plot_availability(
            present, sequences, title=f'{folder.name}: sequences of each lesion'
        ),
    }
    write_csv_atomic(out / 'classes.csv', tabulate_roles(counts))
    write_csv_atomic(out / 'cases.csv', rows)
    for name, figure in figures.items():
        write_bytes_atomic(out / name, encode_figure(figure))
    return ['classes.csv', 'cases.csv', *figures]


def main(argv: list[str] | None = None) -> int:
    """Run the tool and return its exit code."""
    args = parse_args(argv)
    out = args.out or args.folder.with_name(f'{args.folder.resolve().name}_analysis')
    try:
        files = analyze(args.folder, out, args.fold)
    except KeyboardInterrupt:
        print('interrupted; nothing half-written', file=sys.stderr)
        return 130
    except (OSError, ValueError) as error:
        if args.debug:
            raise
        print(f'error: {error}', file=sys.stderr)
        return 2
    if not args.quiet:
        print(f'wrote {", ".join(files)} to {out}')
    if args.json:
        print(json.dumps({'out': str(out), 'files': files}))
    return 0


if __name__ == '__main__':
    sys.exit(main())
