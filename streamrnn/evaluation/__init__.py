"""Prequential evaluation: the running stream is the test set, for the model and for what it is held against."""

from streamrnn.forecasting.scorecard import Scorecard

__all__ = ["Scorecard"]
