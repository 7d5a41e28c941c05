"""Tests of the room video."""
