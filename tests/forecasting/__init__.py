"""Tests of streamrnn.online."""
