"""Preparation of ATLAS: time, memory and disk for a subject, and for all 655.

Twelve generated subjects on the true grid, in a process of its own, with 1 and 2
workers. The fixed part (imports, split) is measured apart and not multiplied.

    python benchmarks/atlas_preparation.py [SUBJECTS]
"""

import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

os.environ.setdefault('OMP_NUM_THREADS', '1')

from mmmed.phantoms import write_atlas_phantom
from mmmed.preparation import AtlasPreparer

ALL = 655
MEGABYTE = 1e6


def main() -> int:
    """Measure and print the table."""
    subjects = int(sys.argv[1]) if len(sys.argv) > 1 else 12
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        start = time.process_time()
        few, many = (write(root / f'raw{n}', n) for n in (3, subjects))
        cpu = (time.process_time() - start) / (3 + subjects)
        print(f'generating a subject: {cpu:.2f} CPU-s\n')
        print('workers  CPU-s a subject  655 subjects, CPU-min  peak RSS, MiB')
        for workers in (1, 2):
            base, _ = run(few, root / f'few{workers}', workers)
            total, peak = run(many, root / f'many{workers}', workers)
            each = (total - base) / (subjects - 3)
            minutes = (base + each * (ALL - 3)) / 60
            print(f'{workers:7}{each:17.2f}{minutes:23.1f}{peak:15.0f}')
        raw, used = measure(many), measure(root / 'many1')
        print(f'\nraw .nii.gz {raw / subjects / MEGABYTE:.1f} MB a subject, ', end='')
        print(f'prepared {used / subjects / MEGABYTE:.1f} MB, ratio {used / raw:.2f}')
    return 0


def write(out: Path, subjects: int) -> Path:
    """A cohort of generated subjects."""
    list(write_atlas_phantom(out, subjects=subjects, sites=2))
    return out


def run(raw: Path, out: Path, workers: int) -> tuple[float, float]:
    """CPU seconds and peak MiB of one preparation, imports included."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    call = [sys.executable, __file__, '--child', raw, out, workers]
    peak = subprocess.run(map(str, call), check=True, capture_output=True, text=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return cpu, int(peak.stdout) / 1024


def prepare(raw: str, out: str, workers: str) -> int:
    """What the child does: prepare, and say its peak memory in KiB."""
    preparer = AtlasPreparer(num_folds=2, val_ratio=0.3)
    preparer.prepare(raw, out, workers=int(workers), quiet=True)
    # ru_maxrss would be the parent's, whose pages a child has until it is replaced.
    status = Path('/proc/self/status').read_text(encoding='utf-8')
    print(status.split('VmHWM:')[1].split()[0])
    return 0


def measure(folder: Path) -> int:
    """Bytes that the files of a folder take on the disk, holes not counted."""
    return sum(p.stat().st_blocks * 512 for p in folder.rglob('*') if p.is_file())


if __name__ == '__main__':
    if sys.argv[1:2] == ['--child']:
        sys.exit(prepare(*sys.argv[2:]))
    sys.exit(main())
