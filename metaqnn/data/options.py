"""The options of data sets."""

import re
from typing import Annotated, Any, ClassVar

from pydantic import Field, PositiveInt, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

from metaqnn.data.datasets import FILE_DATASETS, at_home, find_dataset, full_name
from metaqnn.options import Section


class DataSetOptions(Section):
    """Which data set, and where it is."""

    dataset: str = Field("digits", description="Which data set.")
    data_dir: str | None = Field(None, description="Folder in which the data set lies.")

    # a data set is known by its content, not by its place
    FREE: ClassVar[tuple[str, ...]] = ("dataset", "data_dir")
    CHANGEABLE: ClassVar[tuple[str, ...]] = ("dataset", "data_dir")

    @field_validator("dataset", mode="before")
    @classmethod
    def _named(cls, value: Any) -> Any:
        if isinstance(value, str):
            return value
        raise PydanticCustomError(
            "named",
            "A name is wanted, or (images, labels) as arrays",
        )

    @field_validator("dataset")
    @classmethod
    def _with_kind(cls, name: str) -> str:
        kind, _, path = full_name(name).partition(":")
        # a run may be gone on with from elsewhere
        if kind not in FILE_DATASETS or not path:
            return full_name(name)
        return f"{kind}:{at_home(path).absolute()}"

    @property
    def stem(self) -> str:
        """The data set's name, or that of its file or folder, as a folder can be called."""
        kind, _, path = full_name(self.dataset).partition(":")
        if kind not in FILE_DATASETS:
            return kind
        return re.sub(r"[^\w.-]+", "-", at_home(path).resolve().stem).strip("-.") or kind

    @classmethod
    def complete(cls, given: dict[str, Any]) -> dict[str, Any]:
        """Write out the defaults of the data set."""
        dataset = given.get("dataset", cls.model_fields["dataset"].default)
        if not isinstance(dataset, str):
            return given
        entry, _ = find_dataset(dataset)
        return {"space": entry.space, **entry.options, **given}


class DataOptions(DataSetOptions):
    """Which images, and how they are split."""

    dataset: str = Field(
        "digits",
        description="A name that `metaqnn datasets` lists, npz:FILE, folder:DIR or text:FILE; a "
        "path alone is any.",
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
    arrays: str | None = Field(
        None,
        description="Of npz:FILE: the names IMAGES,LABELS of the arrays for training, then those "
        "of the test and of validation. Default: the usual names, such as x_train,y_train.",
    )
    transparency: str = Field(
        "white",
        description="What becomes of transparency in pictures: laid on white or black, or kept as "
        "a channel: keep.",
    )
    colour: str = Field(
        "auto",
        description="Of pictures: auto (grey where all are grey), grey or rgb.",
    )
    skip_broken: bool = Field(
        False, description="Go on without pictures that cannot be read, and count them."
    )

    picture_cache: bool = Field(
        True,
        description="Keep pictures that took long to read, as they are trained on, in the user's "
        "folder for caches.",
    )

    FREE: ClassVar = ("dataset", "data_dir", "download", "picture_cache")
    HEADING: ClassVar = "Images"

    @field_validator("transparency", "colour")
    @classmethod
    def _known(cls, value: str, info: ValidationInfo) -> str:
        known = {"transparency": ("white", "black", "keep"), "colour": ("auto", "grey", "rgb")}
        allowed = known[str(info.field_name)]
        if value not in allowed:
            raise PydanticCustomError("known", "One of {known}", {"known": ", ".join(allowed)})
        return value

    @classmethod
    def complete(cls, given: dict[str, Any]) -> dict[str, Any]:
        """Write out the defaults of the data set."""
        completed = super().complete(given)
        dataset = completed.get("dataset", "digits")
        if not isinstance(dataset, str):
            return completed
        return {"validation": find_dataset(dataset)[0].validation, **completed}
