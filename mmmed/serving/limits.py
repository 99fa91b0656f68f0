"""Limits: how much a stranger may ask of the service; not here: enforcing them."""

from dataclasses import dataclass, fields

MIB = 1 << 20


@dataclass(frozen=True)
class Limits:
    """Bounds on uploads, jobs, time and disk.

    Args:
        upload_bytes: Largest upload.
        unpacked_bytes: Largest size of a zip's files together.
        zip_entries: Largest number of files in a zip.
        zip_ratio: Largest unpacked size of a zip as a multiple of its own size; DICOM
            images compress to a half, so a hundredth is a bomb. What unpacks to less
            than 64 MiB is not judged by it.
        voxels: Largest scan; a float copy takes four bytes a voxel.
        queue: Jobs that wait or are being uploaded at a time.
        disk_bytes: Largest size of the folder of jobs.
        job_s: Longest time of one job, in seconds.
        upload_s: Longest time of one upload, in seconds.
        stall_s: Longest silence within an upload, in seconds.
        keep_s: How long a finished job stays, in seconds.

    Raises:
        ValueError: A bound is not positive.
    """

    upload_bytes: int = 512 * MIB
    unpacked_bytes: int = 4096 * MIB
    zip_entries: int = 5000
    zip_ratio: float = 100.0
    voxels: int = 256 * MIB
    queue: int = 16
    disk_bytes: int = 20480 * MIB
    job_s: float = 3600.0
    upload_s: float = 900.0
    stall_s: float = 30.0
    keep_s: float = 86400.0

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if not value > 0:
                raise ValueError(
                    f'limit {field.name} is {value}, expected more than 0; leave it '
                    'out for the default'
                )
