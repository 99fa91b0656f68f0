"""RunOptions: how a run over scans treats its folders."""

from dataclasses import dataclass

SAVES = ('seg', 'prob', 'dicom-seg')


@dataclass(frozen=True)
class RunOptions:
    """How a run treats its folders.

    Args:
        save: What is written per case, of ``'seg'``, ``'prob'``, ``'dicom-seg'``.
        num_parts: Into how many runs the cases are divided.
        part_id: Which of them this is, from 0.
        overwrite: Make everything anew, whatever lies there.
        dry_run: Say what would be done; write nothing.
        irregular: For DICOM, see :func:`mmmed.io.read_volume`.
        show_progress: Whether a bar is shown.

    Raises:
        ValueError: ``save`` is empty or has unknown words.
    """

    save: tuple[str, ...] = ('seg',)
    num_parts: int = 1
    part_id: int = 0
    overwrite: bool = False
    dry_run: bool = False
    irregular: str = 'refuse'
    show_progress: bool = False

    def __post_init__(self) -> None:
        if not self.save or not set(self.save) <= set(SAVES):
            raise ValueError(f'save is {self.save}, expected some of {SAVES}')
