"""Spinal cord lesions: from DICOM, NIfTI or pictures to masks, measures, a report.

Example:
    python tools/spine.py inference -i dicom/ -o results/ --weights weights/
    python tools/spine.py analyze LESION.nii.gz --cord CORD.nii.gz -o measures/
    python tools/spine.py report results/
    python tools/spine.py collect work_dirs/spine --out weights/

Exit codes:
    0    done: at least one series was accepted, and none failed
    1    done, but some series failed or could not be read; or results not written
    2    the call, the configuration or the input is wrong; nothing was analyzed
    3    no series was accepted; each is listed with its reason
    4    weights are missing, damaged, refused, or trained for other classes
    130  interrupted; the same command goes on
"""

import argparse
import json
import logging
import sys
from functools import partial
from typing import Any

from mmmed import inference, reporting
from mmmed.inference import cascade


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Command line."""
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument('--json', action='store_true', help='summary as last line')
    common.add_argument('--debug', action='store_true', help='traceback of an error')
    level = common.add_mutually_exclusive_group()
    level.add_argument('-q', '--quiet', action='store_true')
    level.add_argument('-v', '--verbose', action='store_true')
    form = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=form)
    verbs = parser.add_subparsers(dest='verb', required=True)
    for verb, (text, options) in cascade.COMMANDS.items():
        add = verbs.add_parser(verb, parents=[common], help=text).add_argument
        for flags, details in options:
            add(*flags.split(), **details)
    return parser.parse_args(argv)


def run(args: argparse.Namespace) -> tuple[int, dict[str, Any]]:
    """Do what the call says; returns exit code and summary."""
    if args.verb == 'analyze':
        files = {name: getattr(args, name) for name in ('cord', 'image', 'levels')}
        return 0, cascade.analyze_files(args.lesion, args.out, **files)
    if args.verb == 'report':
        return 0, {'report': str(reporting.write_cord_report(args.out))}
    if args.verb == 'collect':
        again = args.overwrite
        return 0, cascade.collect_weights(args.work_dirs, args.out, overwrite=again)
    is_shown = not args.quiet and sys.stderr.isatty()
    call = cascade.parse_cascade({**vars(args), 'show_progress': is_shown})
    load = partial(cascade.Cascade.load, call.weights, call.settings, call.device)
    show = partial(reporting.write_previews, slices=call.output.preview_slices or None)
    if args.dry_run:
        return 0, cascade.list_inputs(call)

    def draw(folder: Any, volume: Any, result: Any, _: Any) -> None:
        masks = result.cord_mask, result.lesion_mask
        show(folder, volume, *masks, plane=result.plane or None)

    is_drawn = call.output.generate_previews
    outcome = cascade.run_cascade(call, load, draw if is_drawn else None)
    for line in outcome.list_reasons():
        print(line, file=sys.stderr)
    page = reporting.write_cord_report(call.out)
    return outcome.exit_code, {**outcome.summarize(), 'report': str(page)}


def main(argv: list[str] | None = None) -> int:
    """Run the tool and return its exit code."""
    args = parse_args(argv)
    logging.basicConfig(format='%(message)s', stream=sys.stderr)
    logging.getLogger('mmmed').setLevel('INFO' if args.verbose else 'ERROR')
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
        return cascade.find_exit_code(error)
    if not args.quiet:
        print(', '.join(f'{name} {value}' for name, value in summary.items()))
    if args.json:
        print(json.dumps(summary))
    return code


if __name__ == '__main__':
    sys.exit(main())
