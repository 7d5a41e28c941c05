"""A living reproduction of "A Closer Look at Spatiotemporal Convolutions for Action Recognition" (CVPR 2018)."""

from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent
