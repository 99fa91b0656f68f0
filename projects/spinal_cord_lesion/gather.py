"""Spines and other parts of the body as one raw folder, real ones or generated.

Real: from the sample data (spinal cord, head CT, abdomen, templates, hippocampus), and
generated spines beside them, since the real cords are seven. One folder an image, with
its masks, and ``targets.csv``, which says what each shows and whose it is;
``tools/prepare_dataset.py spine`` reads both. One image with lesions, of
the person ``test``, is there a second time: as a DICOM series (``dicom``) and its
masks (``reference``).

    python projects/spinal_cord_lesion/gather.py OUT --sample SAMPLE
    python projects/spinal_cord_lesion/gather.py OUT

The one lumbar image becomes two halves, left and right, so that a gate can be trained
on one and asked about the other; the two are of one person, and called so.
"""

import argparse
import csv
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np

from mmmed.files import write_csv_atomic
from mmmed.functional.geometry import make_affine
from mmmed.io import read_image, read_volume, write_series, write_volume
from mmmed.structures import Volume

# Image below the sample folder, its name here, masks {ending: path}, and what it shows:
# anatomy, location, sequence, person. Images of the Spinal Cord Toolbox of one session
# are taken to be of one person; who the others are is not said anywhere.
CORD = 'spinal_cord'
GM = f'{CORD}/gm_challenge'
LABELS = f'{GM}/derivatives/labels'
SPINES = (
    (f'{CORD}/t1/t1w', {'seg-manual': 't1/t1w_seg-manual'}, 'T1w', 'sct_t1'),
    (f'{CORD}/t2/t2', {'seg-manual': 't2/t2_seg-manual'}, 'T2w', 'sct_t2'),
    (
        f'{CORD}/t2/t2_fake_lesion',
        {
            'sc_seg': 't2/t2_fake_lesion_sc_seg',
            'lesion_seg': 't2/t2_fake_lesion_lesion_seg',
        },
        'T2w',
        'test',
    ),
    (f'{CORD}/t2s/t2s', {'seg': 't2s/t2s_seg'}, 'T2starw', 'sct_t2s'),
    (f'{CORD}/mt/mt0', {'seg': 'mt/mt0_seg'}, 'other', 'sct_mt'),
    (f'{CORD}/mt/mt1', {}, 'other', 'sct_mt'),
    (f'{CORD}/mt/t1w', {}, 'T1w', 'sct_mt'),
)
GREY_MATTER = ('sub-9418', 'sub-9604')
OTHERS = (
    ('templates/mni_icbm152_t1_tal_nlin_sym_09a_converted', 'mni', 'head'),
    ('stroke_masks/template/ch2', 'colin27', 'head'),
    (
        'brain_ms/patient26/T1_N4_noneck_reduced_winsor_regtoFLAIR_brain_N4_regtoMNI',
        'brain_ms',
        'head',
    ),
    ('abdomen/totalsegmentator/example_ct', 'abdomen_ct', 'abdomen'),
    *(
        # Cut from heads.
        (f'hippocampus/images/hippocampus_{k:03d}', f'hippocampus_{k:03d}', 'head')
        for k in (1, 3, 4, 6)
    ),
)
# The CT's table gives slices of 5 mm; its pictures are of about 0.45 mm.
CT_SPACING = (5.0, 0.45, 0.45)
CT_PATIENTS = ('077', '078', '079', '081', '130')
# Generated: subject and options of tools/make_phantom.py, by folder.
PHANTOMS = {
    'spine': ('spine', '--patients', '6'),
    # Whole necks in axial slices, of which there are two real ones.
    'neck': ('spine', '--patients', '3', '--regions', 'cervical',
             '--sequences', 'T2star', '--size', '128', '288', '20', '--seed', '1'),
    'test': ('spine', '--patients', '1', '--regions', 'cervical', '--lesions', '2',
             '--sequences', 'T2w', '--seed', '3'),
    'abdomen': ('abdomen', '--patients', '2', '--layout', 'btcv'),
    'head': ('head-ct', '--patients', '4', '--release', 'nifti'),
}  # fmt: skip


def copy(source: Path, target: Path) -> None:
    """Copy a file, with the folder that it lies in."""
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)


def gather_spines(sample: Path, out: Path) -> list[dict]:
    """Images of the cord with their masks."""
    rows = []
    for image, masks, sequence, person in SPINES:
        name = '_'.join(Path(image).parts[1:])
        copy(sample / f'{image}.nii.gz', out / name / f'{name}.nii.gz')
        for ending, mask in masks.items():
            target = out / name / f'{name}_{ending}.nii.gz'
            copy(sample / CORD / f'{mask}.nii.gz', target)
        rows.append(
            make_row(f'{name}/{name}.nii.gz', 'spine', 'cervical', sequence, person)
        )
    for subject in GREY_MATTER:
        stem = f'{subject}_run-1_T2starw'
        name = f'gm_{subject}'
        source = sample / GM / subject / 'anat' / f'{stem}.nii.gz'
        copy(source, out / name / f'{name}.nii.gz')
        mask = sample / LABELS / subject / 'anat' / f'{stem}_seg-manual.nii.gz'
        copy(mask, out / name / f'{name}_seg-manual.nii.gz')
        rows.append(
            make_row(f'{name}/{name}.nii.gz', 'spine', 'cervical', 'T2starw', subject)
        )
    return rows + split_lumbar(sample / CORD / 'lumbar' / 't2_lumbar.nii.gz', out)


def split_lumbar(path: Path, out: Path) -> list[dict]:
    """The lumbar image as a left and a right half."""
    volume = read_volume(path).reorient('SAR')
    middle = volume.shape[2] // 2
    rows = []
    for side, start, end in (
        ('left', 0, middle),
        ('right', middle, volume.shape[2]),
    ):
        affine = np.array(volume.affine)
        affine[:3, 3] += start * affine[:3, 2]
        part = Volume(volume.array[..., start:end], volume.spacing, affine)
        name = f'lumbar_{side}'
        (out / name).mkdir(parents=True, exist_ok=True)
        write_volume(part, out / name / f'{name}.nii.gz')
        rows.append(
            make_row(f'{name}/{name}.nii.gz', 'spine', 'lumbar', 'T2w', 'lumbar')
        )
    return rows


def gather_others(sample: Path, out: Path) -> list[dict]:
    """What is no spine."""
    rows = []
    for image, name, anatomy in OTHERS:
        copy(sample / f'{image}.nii.gz', out / name / f'{name}.nii.gz')
        rows.append(make_row(f'{name}/{name}.nii.gz', anatomy, '', '', name))
    for patient in CT_PATIENTS:
        folder = sample / 'head_ct_ich' / 'Patients_CT' / patient / 'brain'
        # Pictures show the face at their top: rows run to posterior.
        slices = [
            np.asarray(read_image(path))[::-1].reshape(650, 650, -1)[..., 0]
            for path in sorted(folder.glob('*.jpg'), key=lambda p: p.stem.zfill(4))
            if path.stem.isdigit()
        ]
        name = f'head_ct_{patient}'
        (out / name).mkdir(parents=True, exist_ok=True)
        array = np.stack(slices).astype(np.int16)
        volume = Volume(array, CT_SPACING, make_affine(CT_SPACING))
        write_volume(volume, out / name / f'{name}.nii.gz')
        rows.append(make_row(f'{name}/{name}.nii.gz', 'head', '', '', name))
    return rows


def make_row(
    path: str, anatomy: str, location: str, sequence: str, person: str
) -> dict:
    """Line of the table."""
    return {
        'path': path,
        'anatomy': anatomy,
        'location': location,
        'sequence': sequence,
        'patient': person,
    }


def gather_real(sample: Path, out: Path) -> list[dict]:
    """Images of the sample data, and generated spines."""
    images = out / 'images'
    rows = gather_spines(sample, images) + gather_others(sample, images)
    folder = sample / CORD / 't2'
    write_test(
        folder / 't2_fake_lesion.nii.gz',
        {
            'cord': folder / 't2_fake_lesion_sc_seg.nii.gz',
            'lesion': folder / 't2_fake_lesion_lesion_seg.nii.gz',
        },
        out,
    )
    return rows + generate('spine', images) + generate('neck', images)


def gather_generated(out: Path) -> list[dict]:
    """Phantoms, in their own layouts."""
    images = out / 'images'
    rows = [row for folder in PHANTOMS for row in generate(folder, images)]
    (labels,) = images.glob('test/derivatives/labels/*/anat')
    (image,) = images.glob('test/sub-*/anat/*_T2w.nii.gz')
    kinds = {'cord': 'SC_seg', 'lesion': 'lesion_seg'}
    masks = {k: next(labels.glob(f'*_label-{v}.nii.gz')) for k, v in kinds.items()}
    write_test(image, masks, out)
    return rows


def generate(folder: str, images: Path) -> list[dict]:
    """One set of phantoms, without the masks of what is no spine."""
    target = images / folder
    subject, *options = PHANTOMS[folder]
    tool = Path(__file__).resolve().parents[2] / 'tools' / 'make_phantom.py'
    command = [sys.executable, str(tool), subject, str(target), *options, '-q']
    subprocess.run(command, check=True)
    rows = []
    if subject == 'spine':
        with (target / 'targets.csv').open(encoding='utf-8', newline='') as stream:
            for row in csv.DictReader(stream):
                path = f'{folder}/{row["path"]}'
                name = 'test' if folder == 'test' else f'{folder} {row["path"]}'
                rows.append(make_row(path, 'spine', row['location'], '', name))
        return rows
    for kind in ('label', 'masks'):
        for path in list(target.rglob(kind)):
            shutil.rmtree(path)
    for path in sorted([*target.rglob('*.nii.gz'), *target.rglob('*.nii')]):
        name = path.relative_to(images).as_posix()
        rows.append(make_row(name, folder, '', '', f'{folder} {path.name}'))
    return rows


def write_test(image: Path, masks: dict[str, Path], out: Path) -> None:
    """The image as a DICOM series, and its masks as a reference."""
    # Slices as a scanner gives them: sagittal, from right to left.
    volume = read_volume(image).reorient('LIP')
    folder = out / 'dicom' / 'test' / 'T2w'
    write_series(volume, folder, patient_id='test', description='T2w sagittal')
    for name, mask in masks.items():
        copy(mask, out / 'reference' / name / 'test.nii.gz')


def main() -> int:
    """Run the script and return its exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('out', type=Path, help='raw folder, made anew')
    parser.add_argument('--sample', type=Path, help='folder of the sample data')
    args = parser.parse_args()
    if args.sample and not (args.sample / CORD).is_dir():
        print(f'error: {args.sample} has no folder {CORD}', file=sys.stderr)
        return 2
    shutil.rmtree(args.out, ignore_errors=True)
    if args.sample:
        rows = gather_real(args.sample, args.out)
    else:
        rows = gather_generated(args.out)
    write_csv_atomic(args.out / 'targets.csv', rows)
    print(f'{len(rows)} images or persons in {args.out}, described by targets.csv')
    return 0


if __name__ == '__main__':
    sys.exit(main())
