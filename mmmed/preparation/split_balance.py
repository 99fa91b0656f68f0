"""How many patients of each kind go into each part, found by exact integer search.

Patients whose rows are alike are of one kind; a split is fully judged by how many of
each kind lie in each part. Everything here is integer arithmetic (products of arrays
go through float64, but below 2**53, where sums are exact in any order), and random
numbers are raw output of PCG64: the result is the same on every platform.

Not here: which patients of a kind are taken (``splits``), what a row is
(``split_strata``).
"""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Row = tuple[str, ...]
"""Level of one image (or whatever a row is) in each column."""

Ints = NDArray[np.int64]

# Cells of all columns together beyond this many are too thin to balance.
_MAX_CELLS = 128
# A cell counts this much less than a level of one column: it decides between splits
# that are alike in every column.
_CELL_SHARE = 32
# Swaps looked at in one step: all where there are fewer, else a sample.
_MAX_CANDIDATES = 128
_SHAKEN_SWAPS = 3


@dataclass(frozen=True)
class Kinds:
    """Kinds of patients as vectors of counts.

    Args:
        counts: Rows of one patient of each kind in each stratum, (T kinds, S strata).
            Stratum 0 holds all rows, stratum 1 is the patient itself.
        numbers: Patients of each kind, (T,), >= 1.
        weights: What a squared deviation costs in each stratum, (S,), >= 1.
        is_level: Strata that should be present in every part, (S,).
    """

    counts: Ints
    numbers: Ints
    weights: Ints
    is_level: NDArray[np.bool_]


def tabulate_kinds(
    kinds: Sequence[Sequence[Row]], numbers: Sequence[int], *, total_share: int
) -> Kinds:
    """Count vectors and weights of kinds of patients.

    A deviation is judged relative to the size of its stratum (chi-square), and every
    column, the number of rows and the number of patients count the same.

    Args:
        kinds: Rows of one patient of each kind; at least one each.
        numbers: Patients of each kind.
        total_share: Sum of the shares that :func:`balance_kinds` will be given.
    """
    cells = Counter[Row]()
    for rows, number in zip(kinds, numbers, strict=True):
        for row in rows:
            cells[row] += number
    columns = len(next(iter(cells)))
    strata: dict[tuple[object, ...], int] = {}
    for column in range(columns):
        for level in sorted({row[column] for row in cells}):
            strata[column, level] = len(strata) + 2
    num_levels = len(strata)
    if columns > 1:
        for row in sorted(cells, key=lambda row: (-cells[row], row))[:_MAX_CELLS]:
            strata['cell', row] = len(strata) + 2
    counts = np.zeros((len(kinds), len(strata) + 2), np.int64)
    counts[:, 1] = 1
    for kind, rows in enumerate(kinds):
        counts[kind, 0] = len(rows)
        for row in rows:
            for column, level in enumerate(row):
                counts[kind, strata[column, level]] += 1
            if ('cell', row) in strata:
                counts[kind, strata['cell', row]] += 1
    numbers_ = np.asarray(numbers, np.int64)
    totals = [int(total) for total in numbers_ @ counts]
    # Products in the search stay below 2**53 with this unit, see _Search.
    largest = int(counts[:, 0].max())
    unit = 2**50 // (total_share * (columns + 3) * largest)
    weights = [unit // total for total in totals]
    weights[1] = unit * totals[0] // totals[1] ** 2
    for stratum in range(num_levels + 2, len(totals)):
        weights[stratum] //= _CELL_SHARE
    is_level = np.zeros(len(totals), bool)
    is_level[2 : num_levels + 2] = True
    return Kinds(counts, numbers_, np.maximum(np.array(weights), 1), is_level)


def balance_kinds(
    kinds: Kinds,
    *,
    shares: Sequence[int],
    sizes: Sequence[tuple[int, int]],
    seed: int,
) -> Ints:
    """Patients of each kind in each part.

    First as few levels as possible are absent from a part, then the weighted squares
    of the deviations from the ideal are as small as the search can make them:
    largest patients first to the emptiest part, swaps and moves between two parts
    while they help, then random swaps and again, keeping the best.

    Args:
        kinds: At least as many patients as parts.
        shares: Ideal share of each part, whole numbers > 0.
        sizes: Wished least and largest number of rows of each part.
        seed: >= 0.

    Returns:
        Counts (T kinds, parts). No part is empty. Rows of a part leave ``sizes`` by
        less than the median patient has, and by what large patients force: less than
        the largest has.
    """
    search = _Search(kinds, shares, seed)
    taken = search.start()
    search.settle(taken, sizes)
    search.limit(taken, sizes)
    search.improve(taken)
    best = search.score(taken)
    bound = search.bound()
    for _ in range(min(max(20_000 // len(taken), 10), 100)):
        if best <= bound:
            break
        other = search.shake(taken)
        search.improve(other)
        if (score := search.score(other)) <= best:
            taken, best = other, score
    return taken


class _Search:
    """Arrays of one search; ``taken`` (T, parts) is the split that methods change."""

    def __init__(self, kinds: Kinds, shares: Sequence[int], seed: int) -> None:
        self.kinds = kinds
        self.rows = kinds.counts[:, 0]
        self.shares = np.array(shares, np.int64)
        self.parts = len(shares)
        self.total = int(self.shares.sum())
        # Deviations are multiplied by the sum of shares, so that ideals are whole.
        self.ideal = (kinds.numbers @ kinds.counts)[:, None] * self.shares
        self.weighted = kinds.counts * kinds.weights
        self.squares = (self.weighted * kinds.counts).sum(1)
        self.bits = np.random.PCG64(np.random.SeedSequence([seed, 0x5EED]))
        self.low = self.high = np.zeros(self.parts, np.int64)

    def start(self) -> Ints:
        """Largest patients first, each to the part that lacks most for its share."""
        counts = self.kinds.counts
        order = self._shuffle(len(self.rows))
        order = order[np.argsort(-self.rows[order], kind='stable')]
        multiple = math.lcm(*map(int, self.shares))
        scale = [multiple // int(share) for share in self.shares]
        taken = np.zeros((len(self.rows), self.parts), np.int64)
        load = [0] * self.parts
        deviation = -self.ideal
        for kind in order:
            rows = int(self.rows[kind])
            for _ in range(int(self.kinds.numbers[kind])):
                fill = [
                    (2 * part + rows) * s for part, s in zip(load, scale, strict=True)
                ]
                least = min(fill)
                best = [part for part in range(self.parts) if fill[part] == least]
                if len(best) > 1:
                    cost = self.weighted[kind] @ deviation[:, best]
                    best = [best[int(np.argmin(cost))]]
                taken[kind, best[0]] += 1
                load[best[0]] += rows
                deviation[:, best[0]] += self.total * counts[kind]
        return taken

    def settle(self, taken: Ints, sizes: Sequence[tuple[int, int]]) -> None:
        """Fill empty parts, then move patients to too small parts while both gain."""
        low, high = np.array(sizes, np.int64).T
        for empty in np.flatnonzero(taken.sum(0) == 0).tolist():
            source = int(np.argmax(taken.sum(0)))
            present = np.flatnonzero(taken[:, source])
            _move(taken, int(present[np.argmin(self.rows[present])]), source, empty)
        while True:
            load = self.rows @ taken
            source, target = int(np.argmax(load - high)), int(np.argmax(low - load))
            gap = int(min(load[source] - high[source], low[target] - load[target]))
            choice = np.flatnonzero((taken[:, source] > 0) & (self.rows < 2 * gap))
            if not len(choice) or taken[:, source].sum() < 2:
                return
            kind = int(choice[np.argmin(np.abs(self.rows[choice] - gap))])
            _move(taken, kind, source, target)

    def limit(self, taken: Ints, sizes: Sequence[tuple[int, int]]) -> None:
        """Fix how many rows a part may have from now on.

        What large patients force, and less than one median patient: with equal
        patients no part can have one more or one less than it must.
        """
        low, high = np.array(sizes, np.int64).T
        load = self.rows @ taken
        rows = np.sort(np.repeat(self.rows, self.kinds.numbers))
        slack = int(rows[(len(rows) - 1) // 2]) - 1
        self.low = low - max(int((low - load).max()), 0) - slack
        self.high = high + max(int((load - high).max()), 0) + slack

    def score(self, taken: Ints) -> tuple[int, int]:
        """Levels absent from a part, then weighted squares; Python's integers."""
        counts = self.kinds.counts.T @ taken
        absent = int((counts[self.kinds.is_level] == 0).sum())
        deviation = (self.total * counts - self.ideal).tolist()
        squares = [sum(d * d for d in row) for row in deviation]
        weights = self.kinds.weights.tolist()
        return absent, sum(w * s for w, s in zip(weights, squares, strict=True))

    def bound(self) -> tuple[int, int]:
        """Score that no split can be below: each stratum for itself at its best."""
        cost = 0
        for weight, ideal in zip(
            self.kinds.weights.tolist(), self.ideal.tolist(), strict=True
        ):
            rest = sorted(value % self.total for value in ideal)
            ups = sum(rest) // self.total
            downs = len(rest) - ups
            cost += weight * sum(r * r for r in rest[:downs])
            cost += weight * sum((self.total - r) ** 2 for r in rest[downs:])
        return 0, cost

    def improve(self, taken: Ints) -> None:
        """Swap and move between all pairs of parts until nothing helps."""
        counts = self.kinds.counts.T @ taken
        pairs = [(a, b) for a in range(self.parts) for b in range(a + 1, self.parts)]
        index = quiet = 0
        while quiet < len(pairs):
            pair = pairs[index % len(pairs)]
            index, quiet = index + 1, quiet + 1
            while self._step(taken, counts, *pair):
                quiet = 0

    def shake(self, taken: Ints) -> Ints:
        """A copy with a few random swaps that keep the limits."""
        taken = taken.copy()
        load = self.rows @ taken
        for _ in range(_SHAKEN_SWAPS):
            a = self._draw(self.parts)
            b = (a + 1 + self._draw(self.parts - 1)) % self.parts
            here, there = np.flatnonzero(taken[:, a]), np.flatnonzero(taken[:, b])
            give, get = here[self._draw(len(here))], there[self._draw(len(there))]
            change = self.rows[get] - self.rows[give]
            if self._fits(load[a] + change, a) and self._fits(load[b] - change, b):
                _move(taken, int(give), a, b)
                _move(taken, int(get), b, a)
                load[a], load[b] = load[a] + change, load[b] - change
        return taken

    def _step(self, taken: Ints, counts: Ints, a: int, b: int) -> bool:
        """Make the best swap of a patient of a and one of b (either may be nobody)."""
        here, there = self._pick(taken[:, a]), self._pick(taken[:, b])
        # The last row and column stand for nobody: zero rows everywhere.
        mine = np.vstack([self.kinds.counts[here], np.zeros_like(counts[:, 0])])
        yours = np.vstack([self.kinds.counts[there], np.zeros_like(counts[:, 0])])
        change = yours[:, 0] - mine[:, :1]
        allowed = self._fits(counts[0, a] + change, a)
        allowed &= self._fits(counts[0, b] - change, b)
        allowed[:, -1] &= taken[:, a].sum() > 1
        allowed[-1, :] &= taken[:, b].sum() > 1
        allowed[-1, -1] = False
        if not allowed.any():
            return False
        absent = self._change_absent(mine, yours, counts[:, a], counts[:, b])
        fewest = absent[allowed].min()
        if fewest > 0:
            return False
        ideal = self.ideal[:, b] - self.ideal[:, a]
        slope = self.total * (counts[:, b] - counts[:, a]) - ideal
        cost = self._change_cost(here, there, slope)
        cost[~allowed | (absent > fewest)] = np.iinfo(np.int64).max
        best = int(np.argmin(cost))
        if fewest == 0 and cost.flat[best] >= 0:
            return False
        give, get = divmod(best, len(yours))
        moved = mine[give] - yours[get]
        counts[:, a] -= moved
        counts[:, b] += moved
        for kinds, one, source, target in ((here, give, a, b), (there, get, b, a)):
            if one < len(kinds):
                _move(taken, int(kinds[one]), source, target)
        return True

    def _change_cost(self, here: Ints, there: Ints, slope: Ints) -> Ints:
        """Change of the weighted squares, divided by 2 * total, for every swap.

        With y = what a gives minus what it gets and d = deviations times total:
        sum w [(d_a - total y)^2 + (d_b + total y)^2 - d_a^2 - d_b^2]
        = 2 total [sum w y (d_b - d_a) + total sum w y^2]; slope is d_b - d_a.
        """
        give = self.weighted[here] @ slope + self.total * self.squares[here]
        get = self.total * self.squares[there] - self.weighted[there] @ slope
        cost = np.zeros((len(here) + 1, len(there) + 1), np.int64)
        cost[:-1] += give[:, None]
        cost[:, :-1] += get
        # float64 only because integer products are slow; exact, see tabulate_kinds.
        cross = self.weighted[here].astype(float) @ self.kinds.counts[there].T
        cost[:-1, :-1] -= 2 * self.total * cross.astype(np.int64)
        return cost

    def _change_absent(self, mine: Ints, yours: Ints, in_a: Ints, in_b: Ints) -> Ints:
        """Change of the number of levels absent from a or b, for every swap."""
        scarce = (in_a <= mine.max(0)) | (in_b <= yours.max(0))
        scarce &= self.kinds.is_level
        mine, yours, in_a, in_b = (x[..., scarce] for x in (mine, yours, in_a, in_b))
        has_mine, has_yours = (mine > 0).astype(float), (yours > 0).astype(float)
        lost = (has_mine * (mine == in_a)) @ (1 - has_yours).T
        lost += (1 - has_mine) @ (has_yours * (yours == in_b)).T
        lost -= (has_mine @ (in_b == 0))[:, None] + has_yours @ (in_a == 0)
        return lost.astype(np.int64)

    def _pick(self, number: Ints) -> Ints:
        """Kinds present in a part; a random sample of them where there are many."""
        kinds = np.flatnonzero(number)
        if len(kinds) > _MAX_CANDIDATES:
            kinds = np.sort(kinds[self._shuffle(len(kinds))[:_MAX_CANDIDATES]])
        return kinds

    def _fits(self, rows: Ints, part: int) -> NDArray[np.bool_]:
        return (rows >= self.low[part]) & (rows <= self.high[part])

    def _shuffle(self, length: int) -> Ints:
        # Raw bits, because NumPy may change its permutations between versions.
        return np.argsort(self.bits.random_raw(length), kind='stable')

    def _draw(self, below: int) -> int:
        return int(self.bits.random_raw()) % below


def _move(taken: Ints, kind: int, source: int, target: int) -> None:
    taken[kind, source] -= 1
    taken[kind, target] += 1
