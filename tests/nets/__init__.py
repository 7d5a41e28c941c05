"""Tests of the room nets."""
