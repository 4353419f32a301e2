"""What makes a training fast without changing what it computes: each can be switched off."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Self

import torch


@dataclass(frozen=True)
class Speed:
    """How a device computes a training.

    Attributes:
        channels_last: Values of all channels of a pixel lie side by side in memory.
        late: The loss is read after an epoch, not after every batch, so that the GPU never waits.
        bfloat16: The passes run in bfloat16; weights and Adam stay in float32. GPUs that have it
            always do so, CPUs where they are told.
        tf32: What runs in float32 may round its factors to 10 bits.
        benchmark: cuDNN tries its algorithms on every new shape.
        cuda_graph: A step is recorded once and then replayed as a whole.
    """

    channels_last: bool = True
    late: bool = True
    bfloat16: bool = False
    tf32: bool = False
    benchmark: bool = False
    cuda_graph: bool = False

    @classmethod
    def of(cls, device: torch.device, *, bfloat16: bool = False) -> Self:
        """All that a device knows.

        Args:
            device: Where to train.
            bfloat16: Whether a CPU with AMX may round; without AMX it is slower than float32.
        """
        if device.type == "cuda":
            # both came with Ampere; before it bfloat16 is emulated, and slower than float32
            new = torch.cuda.get_device_capability(device)[0] >= 8
            return cls(bfloat16=new, tf32=new, benchmark=True, cuda_graph=True)
        return cls(bfloat16=bfloat16 and torch.cpu._is_amx_tile_supported())

    @property
    def layout(self) -> torch.memory_format:
        """Of images and weights."""
        return torch.channels_last if self.channels_last else torch.contiguous_format

    @contextmanager
    def backends(self, device: torch.device) -> Iterator[None]:
        """Torch's switches of the whole process as this speed wants them, and then as before.

        A GPU is the current one too: streams and recordings are made on that, wherever tensors lie.
        """
        if device.type != "cuda":
            yield
            return
        precision = torch.get_float32_matmul_precision()
        torch.set_float32_matmul_precision("high" if self.tf32 else "highest")
        try:
            flags = torch.backends.cudnn.flags(
                enabled=True,
                benchmark=self.benchmark,
                deterministic=torch.backends.cudnn.deterministic,
                allow_tf32=self.tf32,
            )
            with torch.cuda.device(device), flags:
                yield
        finally:
            torch.set_float32_matmul_precision(precision)
