"""Labelled streams: predict a number or a class from features, learn from the label, now or later."""
