"""SeriesJob: one series from its files to its results and its log.

It never raises for what is wrong with a series: that becomes its log. Not here: the
run over many (``run``).
"""

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from mmmed.inference.cascade.lesion_analysis import LesionAnalysis, analyze_lesions
from mmmed.inference.cascade.outputs import OutputSettings, write_results
from mmmed.inference.cascade.pictures import place_pictures
from mmmed.inference.cascade.records import (
    SCHEMA_VERSION,
    describe_software,
    make_generated_by,
)
from mmmed.inference.cascade.result import CascadeResult
from mmmed.inference.cascade.series import PICTURES, Series, UnfitError
from mmmed.inference.cascade.series_store import PREVIEWS, SeriesStore
from mmmed.inference.cascade.weights import WeightsError
from mmmed.inference.case_store import ConflictError
from mmmed.structures import Volume

OnSeries = Callable[[Path, Volume, CascadeResult, LesionAnalysis | None], Any]


class Analyzer(Protocol):
    """What analyzes a series: ``cascade.Cascade``, or what stands for it."""

    def analyze(self, volume: Volume) -> CascadeResult:
        """See :meth:`mmmed.inference.cascade.cascade.Cascade.analyze`."""
        ...


@dataclass(frozen=True)
class JobSettings:
    """What all series of a run share.

    Args:
        settings_sha256: Hash of weights and settings.
        device: Where networks compute.
        output: What is written.
        overwrite: Make finished results anew.
        picture_plane: Plane that pictures show.
        source: Input of the run, which is left out of the paths in messages.
    """

    settings_sha256: str
    device: str
    output: OutputSettings
    overwrite: bool = False
    picture_plane: str = 'sagittal'
    source: Path | None = None


class SeriesJob:
    """One series.

    Args:
        series: The series.
        store: Folder of its results.
        settings: See :class:`JobSettings`.
        get_analyzer: Gives the cascade; called for the first series that needs it.
        on_series: Called with the folder for pictures, the image, what the cascade
            found and its measures, for every series whose stages ran.
    """

    def __init__(
        self,
        series: Series,
        store: SeriesStore,
        settings: JobSettings,
        get_analyzer: Callable[[], Analyzer],
        on_series: OnSeries | None = None,
    ) -> None:
        self.series = series
        self.store = store
        self.settings = settings
        self.get_analyzer = get_analyzer
        self.on_series = on_series
        self._seconds: dict[str, float] = {}
        self._log = self._start_log()

    def run(self) -> tuple[dict[str, Any], bool]:
        """Analyze, unless that is done.

        Returns:
            The log, and whether it was there before.

        Raises:
            WeightsError: The cascade cannot be loaded.
            OSError: Results cannot be written.
        """
        try:
            content = self._hash_content()
            if not self.settings.overwrite:
                log = self.store.read_finished(self.settings.settings_sha256, content)
                if log is not None:
                    return log, True
        except ConflictError as error:
            # What somebody changed stays, with its log.
            return {**self._log, 'status': 'failed', 'reason': str(error)}, False
        self._log['input']['sha256'] = content
        volume = self._read()
        # Weights that are refused must not cost the results that lie there.
        analyzer = None if volume is None else self.get_analyzer()
        self.store.clear()
        if volume is not None and analyzer is not None:
            self._analyze(analyzer, volume)
        self._log['seconds'] = {k: round(v, 3) for k, v in self._seconds.items()}
        self._log['total_seconds'] = round(sum(self._seconds.values()), 3)
        return self.store.write_log(self._log), False

    def _hash_content(self) -> str | None:
        try:
            return self.series.hash_content()
        except OSError:
            return None  # reading will say why

    def _read(self) -> Volume | None:
        """The image; None if there is none, and then the log says why."""
        try:
            with _Stopwatch(self._seconds, 'read'):
                volume = self.series.read()
                self._describe(volume)
        except UnfitError as error:
            self._end('rejected', str(error))
        except ValueError as error:
            self._end('unreadable', _explain(error))
        except Exception as error:  # the machine's fault: the next run tries again
            self._end('failed', _explain(error))
        else:
            return volume
        return None

    def _analyze(self, analyzer: Analyzer, volume: Volume) -> None:
        try:
            with _Stopwatch(self._seconds, 'analyze'):
                result = analyzer.analyze(volume)
            self._tell(result)
            self._write(volume, result)
        except WeightsError:
            raise
        except Exception as error:  # whatever a series provokes is told in its log
            self._end('failed', _explain(error))

    def _tell(self, result: CascadeResult) -> None:
        """Note every decision; also of a series whose results cannot be written."""
        self._log['stages'] = [stage.to_json() for stage in result.stages]
        self._log['warnings'] += list(result.warnings)
        refused = [stage for stage in result.stages if not stage.accepted]
        reason = f'{refused[-1].name}: {refused[-1].reason}' if refused else ''
        if result.status == 'rejected':
            self._end('rejected', reason or 'no stage says why')
        else:
            self._end('accepted', reason)

    def _write(self, volume: Volume, result: CascadeResult) -> None:
        placed = volume
        if self.series.kind == PICTURES:
            placed = place_pictures(volume, self.settings.picture_plane)
        with _Stopwatch(self._seconds, 'measure'):
            analysis = self._measure(placed, result)
        with _Stopwatch(self._seconds, 'write'):
            self._log['warnings'] += write_results(
                self.store.folder,
                self.series,
                volume,
                result,
                analysis,
                self.settings.output,
            )
        if self.on_series is None:
            return
        try:
            with _Stopwatch(self._seconds, 'preview'):
                self.on_series(self.store.folder / PREVIEWS, placed, result, analysis)
        except Exception as error:  # a picture is not worth the masks
            self._log['warnings'].append(f'No previews: {_explain(error)}')

    def _measure(self, placed: Volume, result: CascadeResult) -> LesionAnalysis | None:
        if result.lesion_mask is None:
            return None
        analysis = analyze_lesions(
            result.lesion_mask,
            result.cord_mask,
            placed,
            confidence=result.confidence,
        )
        # The masks no longer show what the lesion stage removed.
        removed = sum(
            stage.details.get('outside_lesions', 0) for stage in result.stages
        )
        self._log['lesions'] = {
            'count': len(analysis.lesions),
            'volume_mm3': analysis.volume_mm3,
            'outside_count': len(analysis.outside_voxels) + removed,
            'cord_volume_mm3': analysis.cord.volume_mm3 if analysis.cord else None,
        }
        return analysis

    def _describe(self, volume: Volume) -> None:
        """Note what the image is like."""
        notes = list(volume.source.notes) if volume.source else []
        self._log['input'] |= {
            'shape': list(volume.shape),
            'spacing_mm': list(volume.spacing),
            'notes': notes,
        }
        if self.series.kind != PICTURES:
            self._log['input'] |= {
                'axcodes': volume.orientation,
                'affine': np.asarray(volume.grid).tolist(),
            }
        self._log['warnings'] += notes

    def _end(self, status: str, reason: str) -> None:
        source = self.settings.source
        if source is not None:
            root = source if source.is_dir() else source.parent
            reason = reason.replace(f'{root}{os.sep}', '')
        self._log |= {'status': status, 'reason': reason}

    def _start_log(self) -> dict[str, Any]:
        series = self.series
        return {
            'schema_version': SCHEMA_VERSION,
            'status': 'failed',
            'reason': '',
            'patient': series.patient,
            'series': series.name,
            'key': series.key,
            'input': {
                'place': series.place,
                'format': series.kind.removeprefix('.'),
                'files': len(series.files),
                'sha256': None,
                **dict.fromkeys(('shape', 'spacing_mm', 'axcodes', 'affine')),
                'notes': [],
            },
            'stages': [],
            'lesions': None,
            'outputs': {},
            'warnings': [],
            'software': describe_software(),
            'device': self.settings.device,
            'settings_sha256': self.settings.settings_sha256,
            'seconds': {},
            'total_seconds': None,
            'GeneratedBy': make_generated_by(),
        }


class _Stopwatch:
    """Adds the duration of a block to a table, whatever ends the block."""

    def __init__(self, table: dict[str, float], name: str) -> None:
        self._table, self._name = table, name

    def __enter__(self) -> None:
        self._started = time.perf_counter()

    def __exit__(self, *error: object) -> None:
        self._table[self._name] = time.perf_counter() - self._started


def _explain(error: Exception) -> str:
    reason = str(error) or type(error).__name__
    if isinstance(error, ValueError | OSError | MemoryError | ImportError):
        return reason
    return f'{type(error).__name__}: {reason}'
