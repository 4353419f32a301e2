"""The operations of networks, by their names in the notation."""

from metaqnn.errors import MetaqnnError
from metaqnn.networks.ops.attention import SqueezeExcitation
from metaqnn.networks.ops.base import Args, LayerCost, Op, Part, ShapeError, joined_shape
from metaqnn.networks.ops.combine import Addition, Concatenation, Identity, Zeros
from metaqnn.networks.ops.convolution import (
    Convolution,
    ConvolutionBatchNorm,
    DepthwiseBatchNorm,
    InvertedBottleneck,
)
from metaqnn.networks.ops.dense import FullyConnected, Softmax
from metaqnn.networks.ops.pooling import (
    AveragePooling,
    GlobalAveragePooling,
    GlobalMaximum,
    GlobalMean,
    MaxPooling,
    SameAveragePooling,
    SameMaxPooling,
)
from metaqnn.networks.ops.preactivation import (
    DilatedConvolution,
    FactorisedReduction,
    Projection,
    RectifiedConvolution,
    Rectifier,
    SeparableConvolution,
)
from metaqnn.networks.ops.regularise import BatchNorm, DropOut
from metaqnn.networks.ops.separable import LinearConvolution, SeparableBatchNorm
from metaqnn.networks.ops.stem import NormedConvolution, UnpaddedConvolution

__all__ = [
    "DROPOUT",
    "OPS",
    "Args",
    "LayerCost",
    "Op",
    "Part",
    "ShapeError",
    "find_op",
    "joined_shape",
]

OPS: dict[str, type[Op]] = {
    "C": Convolution,
    "P": MaxPooling,
    "FC": FullyConnected,
    "GAP": GlobalAveragePooling,
    "SM": Softmax,
    "D": DropOut,
    "BN": BatchNorm,
    "CB": ConvolutionBatchNorm,
    "MP": SameMaxPooling,
    "AP": SameAveragePooling,
    "MB": InvertedBottleneck,
    "DB": DepthwiseBatchNorm,
    "SE": SqueezeExcitation,
    "AVG": GlobalMean,
    "MAX": GlobalMaximum,
    "ADD": Addition,
    "CAT": Concatenation,
    "ID": Identity,
    "RELU": Rectifier,
    "RC": RectifiedConvolution,
    "SC": SeparableConvolution,
    "DC": DilatedConvolution,
    "PB": Projection,
    "FR": FactorisedReduction,
    "LB": NormedConvolution,
    "VB": UnpaddedConvolution,
    "Z": Zeros,
    "PA": AveragePooling,
    "LC": LinearConvolution,
    "SB": SeparableBatchNorm,
}
"""An op that is put in here can be read, built, counted, trained, exported and drawn."""

DROPOUT = "D"
"""The op that a recipe adds."""


def find_op(name: str) -> type[Op]:
    """The op of this name.

    Raises:
        MetaqnnError: There is none.
    """
    if name not in OPS:
        raise MetaqnnError(f"unknown layer {name!r}, known: {', '.join(OPS)}")
    return OPS[name]
