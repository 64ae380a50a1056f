"""Prints the polynomial coefficients of exp_log.hpp: minimax fits by Remez exchange in 60 digits (needs mpmath).

Run `python cpp/kernels/arithmetic/polynomials.py`; each line gives the maximum error of the fit in exact arithmetic and
the coefficients, lowest order first, as C++ literals of the type that evaluates them.
"""

from __future__ import annotations

import struct
from collections.abc import Callable

import mpmath as mp

mp.mp.dps = 60
Real = mp.mpf


def remez(
    f: Callable[[Real], Real], weight: Callable[[Real], Real], low: Real, high: Real, degree: int
) -> tuple[list[Real], Real]:
    """Coefficients c that minimise max |weight(t) * (f(t) - sum c_i t^i)| on [low, high], and that maximum."""
    count = degree + 2
    nodes = [(low + high) / 2 - (high - low) / 2 * mp.cos(mp.pi * i / (count - 1)) for i in range(count)]
    for _ in range(12):
        system = mp.matrix(count, count)
        right = mp.matrix(count, 1)
        for row, t in enumerate(nodes):
            for power in range(degree + 1):
                system[row, power] = t**power
            system[row, degree + 1] = (-1) ** row / weight(t)
            right[row] = f(t)
        solution = mp.lu_solve(system, right)
        coefficients = [solution[i] for i in range(degree + 1)]

        def error(t: Real, c: list[Real] = coefficients) -> Real:
            return weight(t) * (f(t) - mp.polyval(c[::-1], t))

        grid = [low + (high - low) * i / 1200 for i in range(1201)]
        values = [error(t) for t in grid]
        peaks: list[int] = []
        for i in range(len(grid)):
            left = i == 0 or abs(values[i]) >= abs(values[i - 1])
            right_side = i == len(grid) - 1 or abs(values[i]) >= abs(values[i + 1])
            if left and right_side:
                if peaks and (values[i] > 0) == (values[peaks[-1]] > 0):
                    if abs(values[i]) > abs(values[peaks[-1]]):
                        peaks[-1] = i
                else:
                    peaks.append(i)
        if len(peaks) < count:
            break
        while len(peaks) > count:
            peaks.pop(0 if abs(values[peaks[0]]) < abs(values[peaks[-1]]) else -1)
        nodes = [grid[i] for i in peaks]
    return coefficients, max(abs(v) for v in values)


def as_float32(value: Real) -> str:
    return float(struct.unpack("f", struct.pack("f", float(value)))[0]).hex() + "f"


def as_float64(value: Real) -> str:
    return float(value).hex()


def show(name: str, fit: tuple[list[Real], Real], literal: Callable[[Real], str]) -> None:
    coefficients, worst = fit
    print(f"{name}: maximum error 2^{float(mp.log(worst, 2)):.1f}")
    for c in coefficients:
        print("    " + literal(c) + ",")


def exp_tail(t: Real) -> Real:
    """q of exp(t) = 1 + t + t^2 q(t)."""
    if abs(t) < mp.mpf(10) ** -12:
        return mp.mpf(1) / 2 + t / 6
    return (mp.expm1(t) - t) / t**2


def log_tail(z: Real) -> Real:
    """r of log((1 + s) / (1 - s)) = 2 s + s z r(z), z = s^2."""
    if z < mp.mpf(10) ** -20:
        return mp.mpf(2) / 3 + z * 2 / 5
    s = mp.sqrt(z)
    return (2 * mp.atanh(s) / s - 2) / z


if __name__ == "__main__":
    half_ln2 = mp.log(2) / 2 * mp.mpf("1.0005")
    s_max = (mp.sqrt(2) - 1) / (mp.sqrt(2) + 1) * mp.mpf("1.0005")
    show(
        "exp, float",
        remez(exp_tail, lambda t: t**2 * mp.exp(-t) + mp.mpf(10) ** -9, -half_ln2, half_ln2, 4),
        as_float32,
    )
    show(
        "exp, double",
        remez(exp_tail, lambda t: t**2 * mp.exp(-t) + mp.mpf(10) ** -9, -half_ln2, half_ln2, 9),
        as_float64,
    )
    show("log1p, double", remez(log_tail, lambda z: z + mp.mpf(10) ** -9, mp.mpf(0), s_max**2, 6), as_float64)
    ln2 = mp.log(2)
    for name, bits, literal in (("float", 15, as_float32), ("double", 41, as_float64)):
        high = mp.floor(ln2 * 2**bits) / 2**bits
        print(f"ln2 in two parts, {name}: {literal(high)}, {literal(ln2 - high)}; log2(e): {literal(1 / ln2)}")
