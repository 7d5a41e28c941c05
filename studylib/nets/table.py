"""The twelve networks of Table 2 and their variants as tables: what there is to build, without what builds it.

`nets.build_net` reads them. They stand apart because everything that only names networks (specs, results, the book's
chapters) reads them too, and should not wait for torch.
"""

from dataclasses import dataclass

# How each group convolves: "3d" t x d x d, "2d" 1 x d x d, "2+1d" 1 x d x d then t x 1 x 1,
# "folded" only as R2D's conv1: all L frames become channels, a kernel of L x d x d without temporal padding.
NETS: dict[str, tuple[str, str, str, str, str]] = {
    #            conv1     conv2   conv3   conv4   conv5
    "r2d":      ("folded", "2d",   "2d",   "2d",   "2d"),
    "f_r2d":    ("2d",     "2d",   "2d",   "2d",   "2d"),
    "r3d":      ("3d",     "3d",   "3d",   "3d",   "3d"),
    "mc2":      ("3d",     "2d",   "2d",   "2d",   "2d"),
    "mc3":      ("3d",     "3d",   "2d",   "2d",   "2d"),
    "mc4":      ("3d",     "3d",   "3d",   "2d",   "2d"),
    "mc5":      ("3d",     "3d",   "3d",   "3d",   "2d"),
    "rmc2":     ("2d",     "3d",   "3d",   "3d",   "3d"),
    "rmc3":     ("2d",     "2d",   "3d",   "3d",   "3d"),
    "rmc4":     ("2d",     "2d",   "2d",   "3d",   "3d"),
    "rmc5":     ("2d",     "2d",   "2d",   "2d",   "3d"),
    "r2plus1d": ("2+1d",   "2+1d", "2+1d", "2+1d", "2+1d"),
}  # fmt: skip

PAPER_NAMES: dict[str, str] = {
    "r2d": "R2D", "f_r2d": "f-R2D", "r3d": "R3D", "mc2": "MC2", "mc3": "MC3", "mc4": "MC4", "mc5": "MC5",
    "rmc2": "rMC2", "rmc3": "rMC3", "rmc4": "rMC4", "rmc5": "rMC5", "r2plus1d": "R(2+1)D",
}  # fmt: skip


@dataclass(frozen=True)
class Variant:
    """A network of the paper with one thing changed; the defaults are the paper's.

    What a (2+1)D convolution without a change is: spatial, BN, ReLU, temporal, with M middle channels between.
    """

    base: str  # the network that is changed, a key of `NETS`
    printed: str  # its name in tables and figures
    # M: by section 3.5 for each convolution, once for both convolutions of a block (torchvision), or N_out (P3D)
    midplanes: str = "per_convolution"
    middle_factor: float = 1.0  # times M, in conv1 too
    stem_middle: int = 45  # spatial filters of conv1 beside 64 temporal ones
    inner_bn: bool = True  # between spatial and temporal convolution, in conv1 too
    inner_relu: bool = True
    # "spatial_first", "temporal_first", "parallel" (sum of both, P3D-B) or "skip" (spatial output added to the
    # temporal one, P3D-C); of the residual blocks, conv1 stays spatial first
    order: str = "spatial_first"
    added_relu: bool = False  # a further BN and ReLU after each 3D convolution, conv1's among them


UNCHANGED = Variant(base="", printed="")

# One thing changed at a time, for the question which part of (2+1)D makes the difference. P3D-B and P3D-C have no free
# M: what they are to be compared with is M = N_out, which has as many weights or nearly so, and not R(2+1)D itself.
VARIANTS: dict[str, Variant] = {
    "r2plus1d_per_block": Variant("r2plus1d", "R(2+1)D, M per block", midplanes="per_block"),
    "r2plus1d_stem83": Variant("r2plus1d", "R(2+1)D, 83 in conv1", stem_middle=83),
    "r2plus1d_half_m": Variant("r2plus1d", "R(2+1)D, M halved", middle_factor=0.5),
    "r2plus1d_double_m": Variant("r2plus1d", "R(2+1)D, M doubled", middle_factor=2),
    "r2plus1d_no_inner_relu": Variant("r2plus1d", "R(2+1)D, no inner ReLU", inner_relu=False),
    "r2plus1d_no_inner_bn_relu": Variant("r2plus1d", "R(2+1)D, no inner BN, ReLU", inner_bn=False, inner_relu=False),
    "r2plus1d_temporal_first": Variant("r2plus1d", "R(2+1)D, temporal first", order="temporal_first"),
    "r2plus1d_m_is_n_out": Variant("r2plus1d", "R(2+1)D, M = N out (P3D-A)", midplanes="n_out"),
    "r2plus1d_parallel": Variant("r2plus1d", "R(2+1)D, parallel (P3D-B)", midplanes="n_out", order="parallel"),
    "r2plus1d_skip": Variant("r2plus1d", "R(2+1)D, skip (P3D-C)", midplanes="n_out", order="skip"),
    "r3d_added_relu": Variant("r3d", "R3D, added ReLU", added_relu=True),
}

# Every name `build_net` takes -> how it is printed. C3D is the baseline from outside the family (section 4.3, VMZ).
PRINTED_NAMES: dict[str, str] = {
    **PAPER_NAMES,
    **{name: variant.printed for name, variant in VARIANTS.items()},
    "c3d": "C3D",
}

# Blocks in conv2..conv5 (Table 1).
BLOCKS: dict[int, tuple[int, int, int, int]] = {18: (2, 2, 2, 2), 34: (3, 4, 6, 3)}

# What the variance of a convolution's first weights is 2 over, see `initialise`.
INITIALISATIONS = ("fan_out", "fan_in")
