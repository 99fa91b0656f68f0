"""Growth and death of a cellular tumor, as simultaneous steps on tensors.

Every cell acts on the state before the step, and what several cells do to one voxel is
added up, so the order of the cells does not matter and every device gives the same
bits. Work follows the surface of the tumor, not the volume.

Not here: where it starts (``automaton``), Hounsfield units (``automaton_image``).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mmmed.synthesis.automaton_tissue import OUTSIDE, VESSEL
from mmmed.synthesis.counter_hash import draw_below, draw_chance, hash_counters

MAX_POPULATION = 10
START_POPULATION = 5
# Pushes of full cells after which a vessel gives way to the next one.
BARRIER_STRENGTH = 3
ATTEMPTS = 3
# Chance to enter, by code: unused, three levels of tissue, vessel, outside.
_CHANCE = (0.0, 1.0, 0.3, 0.1, 0.0, 0.0)
_CHANCE_PUBLISHED = (0.0, 1.0, 1.0, 1.0, 0.0, 0.0)
# The published draw ends just below 28 instead of 27, in ten thousandths: 3.6 % of the
# cells look two voxels away, always in the same direction.
_DRAW_PUBLISHED, _DRAW_UNIT = 279_999, 10_000
_MARGIN = 2
# Cells without work are dropped this often: looking costs about as much as a step.
_DROP_EVERY = 5


@dataclass(frozen=True)
class Colony:
    """A grown tumor.

    Args:
        population: 0 to ``MAX_POPULATION`` a cell, int32, shape (Z, Y, X) in cells.
            Published rules do not cap it while it grows; then it may be higher.
        necrotic: Which cells died, same shape.
        broken: Which cells of vessels gave way, same shape.
    """

    population: Tensor
    necrotic: Tensor
    broken: Tensor


class ColonyGrowth:
    """A tumor while it grows.

    Args:
        codes: Tissue of every cell as :class:`~mmmed.synthesis.automaton_tissue.Tissue`
            has it, uint8, shape (Z, Y, X).
        starts: Cells that the tumor starts from, int64, shape (n, 3); those that are
            not tissue are left out.
        rng: Source of two numbers an attempt; cells hash them with their index.
        as_published: Rules as the published program was compiled: density does not
            matter, one direction is preferred, nothing caps the population and, since
            pressure is cut to the value at which nothing breaks yet, no barrier
            breaks.
        device: Where to compute; the result is the same everywhere.
    """

    def __init__(
        self,
        codes: NDArray[np.uint8],
        starts: NDArray[np.int64],
        rng: np.random.Generator,
        *,
        as_published: bool = False,
        device: torch.device | str = 'cpu',
    ) -> None:
        self._rng = rng
        self._published = as_published
        padded = np.pad(codes, _MARGIN, constant_values=OUTSIDE)
        self._shape = padded.shape
        self._codes = torch.from_numpy(padded.ravel()).to(device)
        self._population = torch.zeros(padded.size, dtype=torch.int32, device=device)
        self._pressure = torch.zeros_like(self._population)
        self._necrotic = torch.zeros_like(self._codes, dtype=torch.bool)
        self._vessels = self._codes == VESSEL
        chance = _CHANCE_PUBLISHED if as_published else _CHANCE
        self._chance = torch.tensor(chance, dtype=torch.float64, device=device)
        self._strength = math.inf if as_published else BARRIER_STRENGTH
        self._offsets = _list_offsets(self._shape).to(device)
        self._age = 0
        cells = self._find(starts)
        self._cells = torch.unique(cells[self._codes[cells] < VESSEL])
        self._population[self._cells] = START_POPULATION

    def grow(self, steps: int) -> None:
        """Let time pass; cells take 5 steps from entering a voxel to entering more."""
        for _ in range(steps):
            self._grow_once()
            self._age += 1
            if self._age % _DROP_EVERY == 0:
                self._drop_surrounded()

    def die(self, starts: NDArray[np.int64], steps: int) -> None:
        """Let full cells die from the given ones outwards; growth is then over.

        Args:
            starts: Cells that die if they are full, int64, shape (n, 3).
            steps: How often every dead cell may kill one neighbor.
        """
        self._population.clamp_(max=MAX_POPULATION)
        cells = torch.unique(self._find(starts))
        cells = cells[self._is_living(cells)]
        self._necrotic[cells] = True
        for _ in range(steps):
            trying, reached = cells, [cells[:0]]
            for _ in range(ATTEMPTS):
                target, _ = self._look_around(trying)
                hits = self._is_living(target)
                reached.append(target[hits])
                trying = trying[~hits]
            new = torch.unique(torch.cat(reached))
            self._necrotic[new] = True
            cells = torch.cat([cells, new])

    def finish(self) -> Colony:
        """The tumor as it is now."""
        broken = self._vessels & (self._codes < VESSEL)
        return Colony(
            self._unpad(self._population), self._unpad(self._necrotic),
            self._unpad(broken),
        )  # fmt: skip

    def _grow_once(self) -> None:
        own = self._population[self._cells]
        growing = self._cells[own < MAX_POPULATION]
        tries = (own >= START_POPULATION) & (own <= MAX_POPULATION)
        trying, is_full = self._cells[tries], own[tries] == MAX_POPULATION
        entered, pushed, broken = [growing], [], []
        for _ in range(ATTEMPTS):
            target, bits = self._look_around(trying)
            code = self._codes[target].long()
            presses = is_full & (code == VESSEL)
            breaks = presses & (self._pressure[target] >= self._strength)
            enters = breaks | draw_chance(bits, self._chance[code])
            enters &= self._population[target] < MAX_POPULATION
            entered.append(target[enters])
            pushed.append(target[presses & ~breaks])
            broken.append(target[breaks])
            trying, is_full = trying[~enters], is_full[~enters]
        self._codes[torch.cat(broken)] = 1
        _count_up(self._pressure, torch.cat(pushed))
        targets = torch.cat(entered)
        new = torch.unique(targets[self._population[targets] == 0])
        _count_up(self._population, targets)
        if not self._published:
            self._population[targets] = self._population[targets].clamp(
                max=MAX_POPULATION
            )
        self._cells = torch.cat([self._cells, new])

    def _look_around(self, cells: Tensor) -> tuple[Tensor, Tensor]:
        """One of the 27 voxels around each cell, itself among them, and its bits."""
        key = (int(self._rng.integers(2**32)), int(self._rng.integers(2**32)))
        bits = hash_counters(cells, key)
        if self._published:
            place = draw_below(bits, _DRAW_PUBLISHED) // _DRAW_UNIT
        else:
            place = draw_below(bits, 27)
        return cells + self._offsets[place], bits

    def _drop_surrounded(self) -> None:
        """Forget full cells among full ones: they cannot change anything any more."""
        around = self._cells[:, None] + self._offsets[:27]
        closed = self._population[around] >= MAX_POPULATION
        closed |= self._codes[around] == OUTSIDE
        self._cells = self._cells[~closed.all(1)]

    def _is_living(self, cells: Tensor) -> Tensor:
        return (self._population[cells] == MAX_POPULATION) & ~self._necrotic[cells]

    def _find(self, indices: NDArray[np.int64]) -> Tensor:
        """Flat indices of cells (Z, Y, X) that lie inside."""
        shape = np.array(self._shape) - 2 * _MARGIN
        inside = ((indices >= 0) & (indices < shape)).all(1)
        flat = np.ravel_multi_index((indices[inside] + _MARGIN).T, self._shape)
        return torch.from_numpy(np.asarray(flat, np.int64)).to(self._codes.device)

    def _unpad(self, values: Tensor) -> Tensor:
        inner = (slice(_MARGIN, -_MARGIN),) * 3
        return values.view(self._shape)[inner]


def _list_offsets(shape: Sequence[int]) -> Tensor:
    """Steps to the 27 voxels around a cell, and the 28th that was never meant."""
    places = np.arange(28)
    z, y, x = places // 9 - 1, places % 9 // 3 - 1, places % 3 - 1
    return torch.from_numpy((z * shape[1] + y) * shape[2] + x)


def _count_up(values: Tensor, places: Tensor) -> None:
    """Add one at each place, as often as it is named."""
    values.index_add_(0, places, torch.ones_like(places, dtype=values.dtype))
