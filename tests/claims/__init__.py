"""Tests of the room claims."""
