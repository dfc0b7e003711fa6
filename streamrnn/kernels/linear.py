"""Matrix arithmetic on flat arrays: the loops in which the machine spends its time.

A matrix of shape (rows, columns) is a C-contiguous run of a flat array, given by the array and its offset. The inner
loop always runs over contiguous columns, several vectors of them kept in registers while the rows go by.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from streamrnn.kernels.jit import kernel
from streamrnn.kernels.vector import (
    clamp,
    item,
    lanes,
    load,
    load_full,
    multiply_add,
    out_of_line,
    splat,
    store,
    store_full,
    total,
    transpose_tile,
)

Floats = NDArray[np.floating]


@kernel
def add_product(x: Floats, at: int, matrix: Floats, m: int, rows: int, columns: int, y: Floats, to: int) -> None:
    """y += x M: x (rows,) at x[at], M (rows, columns) at matrix[m], y (columns,) at y[to]."""
    n = lanes(y)
    j = 0
    while columns - j >= 6 * n:
        a, b, c = load_full(y, to + j), load_full(y, to + j + n), load_full(y, to + j + 2 * n)
        d, e, f = load_full(y, to + j + 3 * n), load_full(y, to + j + 4 * n), load_full(y, to + j + 5 * n)
        o = m + j
        for k in range(rows):
            s = item(x, at + k)
            a = multiply_add(s, load_full(matrix, o), a)
            b = multiply_add(s, load_full(matrix, o + n), b)
            c = multiply_add(s, load_full(matrix, o + 2 * n), c)
            d = multiply_add(s, load_full(matrix, o + 3 * n), d)
            e = multiply_add(s, load_full(matrix, o + 4 * n), e)
            f = multiply_add(s, load_full(matrix, o + 5 * n), f)
            o += columns
        store_full(y, to + j, a)
        store_full(y, to + j + n, b)
        store_full(y, to + j + 2 * n, c)
        store_full(y, to + j + 3 * n, d)
        store_full(y, to + j + 4 * n, e)
        store_full(y, to + j + 5 * n, f)
        j += 6 * n
    while columns - j >= 2 * n:  # too few columns to hide the latency of a sum: two sums each, even and odd rows
        a, b = load_full(y, to + j), load_full(y, to + j + n)
        c, d = splat(y, 0.0), splat(y, 0.0)
        o = m + j
        for k in range(0, rows - 1, 2):
            s, t = item(x, at + k), item(x, at + k + 1)
            a = multiply_add(s, load_full(matrix, o), a)
            b = multiply_add(s, load_full(matrix, o + n), b)
            c = multiply_add(t, load_full(matrix, o + columns), c)
            d = multiply_add(t, load_full(matrix, o + columns + n), d)
            o += 2 * columns
        if rows % 2 == 1:
            s = item(x, at + rows - 1)
            a = multiply_add(s, load_full(matrix, o), a)
            b = multiply_add(s, load_full(matrix, o + n), b)
        store_full(y, to + j, a + c)
        store_full(y, to + j + n, b + d)
        j += 2 * n
    while j < columns:
        left = columns - j
        a, b, c, d = load(y, to + j, left), splat(y, 0.0), splat(y, 0.0), splat(y, 0.0)
        o = m + j
        for k in range(0, rows - 3, 4):
            a = multiply_add(item(x, at + k), load(matrix, o, left), a)
            b = multiply_add(item(x, at + k + 1), load(matrix, o + columns, left), b)
            c = multiply_add(item(x, at + k + 2), load(matrix, o + 2 * columns, left), c)
            d = multiply_add(item(x, at + k + 3), load(matrix, o + 3 * columns, left), d)
            o += 4 * columns
        for k in range(rows - rows % 4, rows):
            a = multiply_add(item(x, at + k), load(matrix, o, left), a)
            o += columns
        store(y, to + j, left, (a + b) + (c + d))
        j += n


@kernel
def add_outer(
    x: Floats, at: int, x_stride: int, d: Floats, to: int, d_stride: int,
    steps: int, rows: int, columns: int, matrix: Floats, m: int,
) -> None:  # fmt: skip
    """M += sum over steps t of x_t (outer) d_t: the weight gradient of a window as one matrix product.

    x_t (rows,) at x[at + t x_stride], d_t (columns,) at d[to + t d_stride], M (rows, columns) at matrix[m].
    """
    out_of_line()
    n = lanes(d)
    k = 0
    while k < rows:
        high = min(k + 3, rows - 1)  # a block of four rows; past the end the last row is repeated and not stored
        r1, r2, r3 = min(k + 1, high) - k, min(k + 2, high) - k, high - k
        j = 0
        while j < columns:
            left = columns - j
            o = m + k * columns + j
            right = left - n
            zero = splat(d, 0.0)
            a0, a1, a2, a3 = zero, zero, zero, zero
            b0, b1, b2, b3 = zero, zero, zero, zero
            p, q = at + k, to + j
            if right >= n:
                for _ in range(steps):
                    u, v = load_full(d, q), load_full(d, q + n)
                    s0, s1, s2, s3 = item(x, p), item(x, p + r1), item(x, p + r2), item(x, p + r3)
                    a0, b0 = multiply_add(s0, u, a0), multiply_add(s0, v, b0)
                    a1, b1 = multiply_add(s1, u, a1), multiply_add(s1, v, b1)
                    a2, b2 = multiply_add(s2, u, a2), multiply_add(s2, v, b2)
                    a3, b3 = multiply_add(s3, u, a3), multiply_add(s3, v, b3)
                    p += x_stride
                    q += d_stride
            else:
                for _ in range(steps):
                    u, v = load(d, q, left), load(d, q + n, right)
                    s0, s1, s2, s3 = item(x, p), item(x, p + r1), item(x, p + r2), item(x, p + r3)
                    a0, b0 = multiply_add(s0, u, a0), multiply_add(s0, v, b0)
                    a1, b1 = multiply_add(s1, u, a1), multiply_add(s1, v, b1)
                    a2, b2 = multiply_add(s2, u, a2), multiply_add(s2, v, b2)
                    a3, b3 = multiply_add(s3, u, a3), multiply_add(s3, v, b3)
                    p += x_stride
                    q += d_stride
            store(matrix, o, left, load(matrix, o, left) + a0)
            store(matrix, o + n, right, load(matrix, o + n, right) + b0)
            if r1 == 1:
                o += columns
                store(matrix, o, left, load(matrix, o, left) + a1)
                store(matrix, o + n, right, load(matrix, o + n, right) + b1)
            if r2 == 2:
                o += columns
                store(matrix, o, left, load(matrix, o, left) + a2)
                store(matrix, o + n, right, load(matrix, o + n, right) + b2)
            if r3 == 3:
                o += columns
                store(matrix, o, left, load(matrix, o, left) + a3)
                store(matrix, o + n, right, load(matrix, o + n, right) + b3)
            j += 2 * n
        k += 4


@kernel
def add_rows(d: Floats, at: int, stride: int, steps: int, columns: int, y: Floats, to: int) -> None:
    """y += sum over steps t of d_t: the bias gradient of a window."""
    out_of_line()
    n = lanes(d)
    for j in range(0, columns, n):
        left = columns - j
        a = load(y, to + j, left)
        for t in range(steps):
            a = a + load(d, at + t * stride + j, left)
        store(y, to + j, left, a)


@kernel
def transpose(matrix: Floats, m: int, rows: int, columns: int, target: Floats, to: int) -> None:
    """target (columns, rows) at target[to] = the transpose of M (rows, columns) at matrix[m]."""
    out_of_line()
    n = lanes(matrix)
    whole_rows, whole_columns = rows - rows % n, columns - columns % n
    for i in range(0, whole_rows, n):
        for j in range(0, whole_columns, n):
            transpose_tile(matrix, m + i * columns + j, columns, target, to + j * rows + i, rows)
        for j in range(whole_columns, columns):
            for k in range(i, i + n):
                target[to + j * rows + k] = matrix[m + k * columns + j]
    for k in range(whole_rows, rows):
        for j in range(columns):
            target[to + j * rows + k] = matrix[m + k * columns + j]


@kernel
def dot(x: Floats, at: int, y: Floats, to: int, count: int) -> float:
    """The inner product of x[at : at + count] and y[to : to + count]."""
    n = lanes(x)
    a = splat(x, 0.0)
    for j in range(0, count, n):
        a = multiply_add(load(x, at + j, count - j), load(y, to + j, count - j), a)
    return float(total(a))


@kernel
def all_finite(x: Floats, at: int, count: int) -> bool:
    """Whether x[at : at + count] holds neither NaN nor infinity."""
    n = lanes(x)
    a = splat(x, 0.0)
    for j in range(0, count, n):
        a = a + load(x, at + j, count - j) * 0.0  # zero, or NaN
    return bool(total(a) == 0.0)


@kernel
def all_within(x: Floats, at: int, count: int, limit: float) -> bool:
    """Whether no element of x[at : at + count] is NaN or beyond +-limit."""
    n = lanes(x)
    a = splat(x, 0.0)
    for j in range(0, count, n):
        v = load(x, at + j, count - j)
        beyond = v - clamp(v, limit)
        a = multiply_add(beyond, beyond, a)
    return bool(total(a) == 0.0)


@kernel
def copy(source: Floats, at: int, count: int, target: Floats, to: int) -> None:
    """target[to : to + count] = source[at : at + count]."""
    n = lanes(source)
    for j in range(0, count, n):
        store(target, to + j, count - j, load(source, at + j, count - j))
