import torch

from mmmed.synthesis.counter_hash import draw_below, draw_chance, hash_counters


def test_bits_depend_on_counter_and_key_only():
    counters = torch.arange(1000)
    bits = hash_counters(counters, (7, 11))
    assert torch.equal(bits.flip(0), hash_counters(counters.flip(0), (7, 11)))
    assert not torch.equal(bits, hash_counters(counters, (8, 11)))
    assert not torch.equal(bits, hash_counters(counters, (7, 12)))
    assert bits.min() >= 0
    assert bits.max() < 2**32


def test_known_bits():
    # Computed with Python's own whole numbers.
    def mix(x):
        x ^= x >> 16
        x = x * 0x21F0AAAD % 2**32
        x ^= x >> 15
        x = x * 0x735A2D97 % 2**32
        return x ^ x >> 15

    for counter, key in ((0, (0, 0)), (123, (5, 2**32 - 1)), (2**32 - 1, (9, 9))):
        want = mix((mix(counter ^ key[0]) + key[1]) % 2**32)
        assert hash_counters(torch.tensor([counter]), key).item() == want


def test_neighbors_are_equally_likely_and_independent():
    bits = torch.cat([hash_counters(torch.arange(4000), (k, 3 * k)) for k in range(90)])
    counts = torch.bincount(draw_below(bits, 27), minlength=27).double()
    expected = len(bits) / 27
    # Chi-square with 26 degrees of freedom: 99.9 % below 54.1.
    assert ((counts - expected) ** 2 / expected).sum() < 54.1
    chosen = draw_below(bits, 27) == 13
    assert abs(draw_chance(bits[chosen], 0.3).double().mean() - 0.3) < 0.015
    assert draw_chance(bits, 1.0).all()
    assert not draw_chance(bits, 0.0).any()
