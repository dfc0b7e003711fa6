"""The same learning step in plain numpy, for comparison: one event at a time, readable, not tuned."""

# ruff: noqa: E741, D101, D102, D103 (the symbols and the structure are those of streamrnn/cells)
from __future__ import annotations

from typing import Any

import numpy as np

Array = Any


def sigmoid(x: Array) -> Array:
    return 1.0 / (1.0 + np.exp(-x))


class PlainGRU:
    def __init__(self, I: int, H: int, random: np.random.Generator) -> None:
        self.W, self.U = random.normal(size=(I, 3 * H)), random.normal(size=(H, 3 * H)) / np.sqrt(H)
        self.b, self.H, self.h = np.zeros(4 * H), H, np.zeros(H, np.float32)
        self.parameters = ["W", "U", "b"]

    def forward(self, x: Array) -> tuple[Array, Any]:
        H, h = self.H, self.h
        xs, hs = x @ self.W, h @ self.U
        r = sigmoid(xs[H : 2 * H] + hs[:H] + self.b[H : 2 * H])
        z = sigmoid(xs[2 * H :] + hs[H : 2 * H] + self.b[2 * H : 3 * H])
        q = hs[2 * H :] + self.b[3 * H :]
        n = np.tanh(xs[:H] + self.b[:H] + r * q)
        self.h = n + z * (h - n)
        return self.h, (x, h, n, r, z, q)

    def backward(self, tape: list[Any], d_outputs: list[Array]) -> list[Array]:
        dW, dU, db, d_h = np.zeros_like(self.W), np.zeros_like(self.U), np.zeros_like(self.b), 0.0
        for (x, h, n, r, z, q), d_output in zip(reversed(tape), reversed(d_outputs), strict=True):
            d_h = d_h + d_output
            dn = d_h * (1 - z) * (1 - n * n)
            dz = d_h * (h - n) * z * (1 - z)
            dr, dq = dn * q * r * (1 - r), dn * r
            by_x, by_h = np.concatenate([dn, dr, dz]), np.concatenate([dr, dz, dq])
            dW += np.outer(x, by_x)
            dU += np.outer(h, by_h)
            db += np.concatenate([dn, by_h])
            d_h = d_h * z + self.U @ by_h
        return [dW, dU, db]


class PlainLSTM:
    def __init__(self, I: int, H: int, random: np.random.Generator) -> None:
        self.W, self.b, self.H = random.normal(size=(I + H, 4 * H)) / np.sqrt(H), np.zeros(4 * H), H
        self.h, self.c = np.zeros(H, np.float32), np.zeros(H, np.float32)
        self.parameters = ["W", "b"]

    def forward(self, x: Array) -> tuple[Array, Any]:
        H, c = self.H, self.c
        xh = np.concatenate([x, self.h])
        a = xh @ self.W + self.b
        gates = sigmoid(a[: 3 * H])
        i, f, o, g = gates[:H], gates[H : 2 * H], gates[2 * H :], np.tanh(a[3 * H :])
        self.c = f * c + i * g
        t = np.tanh(self.c)
        self.h = o * t
        return self.h, (xh, c, i, f, o, g, t)

    def backward(self, tape: list[Any], d_outputs: list[Array]) -> list[Array]:
        dW, db, d_h, d_c, H = np.zeros_like(self.W), np.zeros_like(self.b), 0.0, 0.0, self.H
        for (xh, c, i, f, o, g, t), d_output in zip(reversed(tape), reversed(d_outputs), strict=True):
            d_h = d_h + d_output
            d_c = d_c + d_h * o * (1 - t * t)
            d = np.concatenate(
                [d_c * g * i * (1 - i), d_c * c * f * (1 - f), d_h * t * o * (1 - o), d_c * i * (1 - g * g)]
            )
            dW += np.outer(xh, d)
            db += d
            d_h, d_c = (self.W @ d)[-H:], d_c * f
        return [dW, db]


class PlainMLP:
    """Elman, one hidden layer."""

    def __init__(self, I: int, H: int, random: np.random.Generator) -> None:
        self.W, self.b, self.H = random.normal(size=(I + H, H)) / np.sqrt(H), np.zeros(H), H
        self.h = np.zeros(H, np.float32)
        self.parameters = ["W", "b"]

    def forward(self, x: Array) -> tuple[Array, Any]:
        xh = np.concatenate([x, self.h])
        self.h = np.tanh(xh @ self.W + self.b)
        return self.h, (xh, self.h)

    def backward(self, tape: list[Any], d_outputs: list[Array]) -> list[Array]:
        dW, db, d_h = np.zeros_like(self.W), np.zeros_like(self.b), 0.0
        for (xh, h), d_output in zip(reversed(tape), reversed(d_outputs), strict=True):
            d = (d_h + d_output) * (1 - h * h)
            dW += np.outer(xh, d)
            db += d
            d_h = (self.W @ d)[-self.H :]
        return [dW, db]


class PlainLRU:
    def __init__(self, I: int, H: int, random: np.random.Generator) -> None:
        self.B, self.C = random.normal(size=(I, 2 * H)), random.normal(size=(I + 2 * H, 2 * H)) / np.sqrt(2 * H)
        self.nu, self.tau, self.c = np.full(H, 2.0), random.uniform(0, 1, H), np.zeros(2 * H)
        self.N, self.s = H, np.zeros(H, np.complex64)
        self.parameters = ["B", "nu", "tau", "C", "c"]

    def forward(self, x: Array) -> tuple[Array, Any]:
        N, s = self.N, self.s
        m, phi = sigmoid(self.nu), 2 * np.arctan(self.tau)
        lam, gamma = m * np.exp(1j * phi), np.sqrt(1 - m * m + 1e-6)
        v = x @ self.B
        v = v[:N] + 1j * v[N:]
        self.s = lam * s + gamma * v
        xs = np.concatenate([x, self.s.real, self.s.imag])
        a = xs @ self.C + self.c
        A, G = np.tanh(a[:N]), sigmoid(a[N:])
        return A * G, (x, s, v, xs, A, G)

    def backward(self, tape: list[Any], d_outputs: list[Array]) -> list[Array]:
        N = self.N
        m, phi = sigmoid(self.nu), 2 * np.arctan(self.tau)
        lam, gamma = m * np.exp(1j * phi), np.sqrt(1 - m * m + 1e-6)
        dB, dC, dc = np.zeros_like(self.B), np.zeros_like(self.C), np.zeros_like(self.c)
        d_lam, d_gamma, d_s = 0.0, 0.0, 0.0
        for (x, s, v, xs, A, G), d_output in zip(reversed(tape), reversed(d_outputs), strict=True):
            d = np.concatenate([d_output * G * (1 - A * A), d_output * A * G * (1 - G)])
            dC += np.outer(xs, d)
            dc += d
            below = (self.C @ d)[-2 * N :]
            d_s = d_s + below[:N] + 1j * below[N:]
            d_lam = d_lam + d_s * np.conj(s)
            d_gamma = d_gamma + (d_s * np.conj(v)).real
            d_v = gamma * d_s
            dB += np.outer(x, np.concatenate([d_v.real, d_v.imag]))
            d_s = d_s * np.conj(lam)
        turn = np.exp(-1j * phi)
        d_m = (d_lam * turn).real - d_gamma * m / gamma
        return [dB, d_m * m * (1 - m), (d_lam * turn).imag * m * 2 / (1 + self.tau**2), dC, dc]


PLAIN = {"gru": PlainGRU, "lstm": PlainLSTM, "mlp": PlainMLP, "lru": PlainLRU}


class PlainLearner:
    """Cell, linear head, squared loss, truncated back-propagation and Adam in float32."""

    def __init__(self, cell: str, I: int, H: int, update_every: int, truncation_length: int) -> None:
        random = np.random.default_rng(0)
        self.cell: Any = PLAIN[cell](I, H, random)
        for name in self.cell.parameters:
            setattr(self.cell, name, getattr(self.cell, name).astype(np.float32))
        self.V, self.c = np.zeros(H, np.float32), np.zeros(1, np.float32)
        shapes = [getattr(self.cell, name) for name in self.cell.parameters] + [self.V, self.c]
        self.m, self.v = [np.zeros_like(s) for s in shapes], [np.zeros_like(s) for s in shapes]
        self.every, self.length, self.tape, self.count, self.updates = update_every, truncation_length, [], 0, 0

    def learn_one(self, x: Array, y: float) -> None:
        if self.tape:
            self.tape[-1][3] = self.tape[-1][2] - y
            self.count += 1
            if self.count % self.every == 0:
                self.update()
        h, kept = self.cell.forward(x)
        self.tape.append([kept, h, float(h @ self.V + self.c[0]), 0.0])
        self.tape = self.tape[-self.length :]

    def update(self) -> None:
        errors = [0.0] * max(0, len(self.tape) - self.every) + [step[3] for step in self.tape[-self.every :]]
        gradients = self.cell.backward([step[0] for step in self.tape], [e * self.V for e in errors])
        gradients.append(np.sum([e * step[1] for e, step in zip(errors, self.tape, strict=True)], axis=0))
        gradients.append(np.array([sum(errors)], np.float32))
        self.updates += 1
        for k, g in enumerate(gradients):
            self.m[k] += 0.1 * (g - self.m[k])
            self.v[k] += 0.001 * (g * g - self.v[k])
            first, second = self.m[k] / (1 - 0.9**self.updates), self.v[k] / (1 - 0.999**self.updates)
            step = (1e-3 * first / (np.sqrt(second) + 1e-8)).astype(np.float32)
            if k < len(self.cell.parameters):
                name = self.cell.parameters[k]
                setattr(self.cell, name, getattr(self.cell, name) - step)
            elif k == len(self.cell.parameters):
                self.V = self.V - step
            else:
                self.c = self.c - step
