"""Recurrent cells, one a file: how each computes and, beside it, how its error flows back."""
