"""C3D (Tran et al., ICCV 2015), the 3D network without residuals that the family of R3D came after."""

from torch import Tensor, nn

from studylib.nets.convolutions import Conv3d, batch_norm

# Filters of the convolutions beside 64 of the first one; a pooling follows each group.
GROUPS: dict[str, tuple[int, ...]] = {"1": (64,), "2": (128,), "3": (256, 256), "4": (512, 512), "5": (512, 512)}
DROPOUT = 0.5


class C3D(nn.Module):
    """Eight 3 x 3 x 3 convolutions with BN and ReLU, five max-poolings, three FC layers.

    VMZ's C3D: BN after each convolution (the original has none, and biases instead), pool5 without padding, so that fc6
    sees 1 x 3 x 3 at 16 x 112 x 112. pool1 leaves time alone, the others halve it.
    """

    def __init__(self, num_classes: int, clip_length: int, in_channels: int, width: int, resolution: int) -> None:
        super().__init__()
        time, side = clip_length // 16, resolution // 32
        if not time:
            raise ValueError(f"clip_length: C3D pools time to a sixteenth, {clip_length} frames leave nothing; take 16")
        if not side:
            raise ValueError(f"resolution: C3D pools space to 1/32, {resolution} pixels leave nothing; take 112")
        features = nn.Sequential()
        n_in = in_channels
        for group, filters in GROUPS.items():
            for letter, beside_64 in zip("ab", filters, strict=False):
                n_out = beside_64 * width // 64
                features.add_module(f"conv{group}{letter}", Conv3d(n_in, n_out, 3, padding=1, bias=False))
                features.add_module(f"bn{group}{letter}", batch_norm(n_out))
                features.add_module(f"relu{group}{letter}", nn.ReLU(inplace=True))
                n_in = n_out
            features.add_module(f"pool{group}", nn.MaxPool3d((1, 2, 2) if group == "1" else 2))
        self.features = features
        self.fc6 = nn.Linear(n_in * time * side * side, 64 * width)  # 4096 beside 64 filters
        self.fc7 = nn.Linear(64 * width, 64 * width)
        self.fc = nn.Linear(64 * width, num_classes)
        self.relu = nn.ReLU(inplace=True)
        self.dropout = nn.Dropout(DROPOUT)

    def forward(self, x: Tensor) -> Tensor:
        """Clips (B, C, L, H, W) -> class scores before the softmax (B, num_classes)."""
        x = self.features(x).flatten(1)
        x = self.dropout(self.relu(self.fc6(x)))
        return self.fc(self.dropout(self.relu(self.fc7(x))))
