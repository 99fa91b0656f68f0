"""Random bits from counters: the same on every device and in every order.

A stateful generator gives other numbers on a GPU than on a CPU, and other numbers when
work is skipped. Here the bits of a cell depend on its index and a key only.
"""

import torch
from torch import Tensor

_MASK = 0xFFFFFFFF


def hash_counters(counters: Tensor, key: tuple[int, int]) -> Tensor:
    """Thirty-two random bits for each counter.

    Args:
        counters: int64, any shape, in [0, 2**32).
        key: Two numbers in [0, 2**32); another key gives unrelated bits.

    Returns:
        int64 in [0, 2**32), same shape and device.

    Source:
        A 32-bit xor-shift-multiply finalizer; multipliers by C. Wellons and T. Ettinger
        (hash-prospector, public domain, bias 0.11), chosen below 2**31 so that products
        stay inside int64. Applied twice, with one half of the key each.
    """
    return _mix((_mix(counters ^ key[0]) + key[1]) & _MASK)


def draw_below(bits: Tensor, count: int) -> Tensor:
    """Whole numbers in [0, count) from the upper bits; count << 2**32.

    The lowest 16 bits stay free for :func:`draw_chance`, as good as independent.
    """
    return (bits * count) >> 32


def draw_chance(bits: Tensor, chance: Tensor | float) -> Tensor:
    """True with the given probability, in steps of 2**-16, from the lower bits."""
    if isinstance(chance, Tensor):
        return (bits & 0xFFFF) < (chance * 65536).to(torch.int64)
    return (bits & 0xFFFF) < round(chance * 65536)


def _mix(x: Tensor) -> Tensor:
    x = x ^ (x >> 16)
    x = (x * 0x21F0AAAD) & _MASK
    x = x ^ (x >> 15)
    x = (x * 0x735A2D97) & _MASK
    return x ^ (x >> 15)
