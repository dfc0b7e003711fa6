"""Compiled numerics below everything: how kernels are compiled, vectors, matrices, least squares."""
