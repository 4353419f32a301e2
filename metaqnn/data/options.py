"""The options of data sets."""

from typing import Annotated, Any, ClassVar

from pydantic import Field, PositiveInt

from metaqnn.data.datasets import find_dataset
from metaqnn.options import Section


class DataOptions(Section):
    """Which images, and how they are split."""

    dataset: str = Field(
        "digits", description="A name that `metaqnn datasets` lists, npz:FILE or folder:DIR."
    )
    data_dir: str | None = Field(None, description="Folder in which the data set lies.")
    download: bool = Field(False, description="Download the data set into --data-dir if need be.")
    image_size: PositiveInt | None = Field(
        None, description="Resize the images to this height and width."
    )
    train_limit: PositiveInt | None = Field(
        None, description="Use so many training images, validation included."
    )
    validation: Annotated[float, Field(gt=0, allow_inf_nan=False)] = Field(
        0.2,
        description="Validation images: a number, or a share below 1 of the training images. "
        "Default: a fifth for digits, a tenth for others.",
    )
    split_seed: int = Field(0, ge=0, description="Seed of the split into training and validation.")

    FREE: ClassVar = ("data_dir", "download")
    CHANGEABLE: ClassVar = ("data_dir",)

    @classmethod
    def complete(cls, given: dict[str, Any]) -> dict[str, Any]:
        """Write out the defaults of the data set."""
        dataset = given.get("dataset", "digits")
        if not isinstance(dataset, str):
            return given
        entry, _ = find_dataset(dataset)
        return {"space": entry.space, "validation": entry.validation, **entry.options, **given}
