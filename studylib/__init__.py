"""A living reproduction of "A Closer Look at Spatiotemporal Convolutions for Action Recognition" (CVPR 2018)."""
