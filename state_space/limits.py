"""What a chain may consist of: the keys of its TOML file, checked as a whole."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from state_space.settings import Rule, SettingsError, check, is_list_of, is_whole


@dataclass(frozen=True)
class Limits:
    """What a chain may consist of; the keys of a space's TOML file, checked by `from_mapping`.

    Attributes:
        max_depth: Most layers before SM.
        size_bins: The smallest size of each bin, falling to 1; it stands for the bin.
        field_may_equal_bin: Whether a field may equal the bin's size (paper) or not (2017 code).
        convolutions: (filters, field, stride) of every C.
        poolings: (field, stride) of every P.
        pooling_first: Whether P may read the images.
        pooling_after_pooling: Whether P may follow P.
        fc_units: Units of FC layers; they do not increase along a chain.
        max_fc: Most FC layers.
        fc_max_size: Largest bin from which an FC may follow.
        gap: Whether there is global average pooling.
    """

    max_depth: int
    size_bins: tuple[int, ...]
    field_may_equal_bin: bool
    convolutions: tuple[tuple[int, int, int], ...]
    poolings: tuple[tuple[int, int], ...]
    pooling_first: bool
    pooling_after_pooling: bool
    fc_units: tuple[int, ...]
    max_fc: int
    fc_max_size: int
    gap: bool

    @classmethod
    def from_mapping(cls, mapping: Mapping[str, Any]) -> "Limits":
        """The limits in a parsed TOML file.

        Raises:
            SettingsError: Names every unknown or missing key and every impossible value.
        """
        values = check(mapping, RULES)
        if values["fully-connected.max-size"] not in values["size-bins"]:
            raise SettingsError(
                f"fully-connected.max-size must be one of size-bins {values['size-bins']}, "
                f"not {values['fully-connected.max-size']}"
            )
        return cls(
            max_depth=values["max-depth"],
            size_bins=tuple(values["size-bins"]),
            field_may_equal_bin=values["field-may-equal-bin"],
            convolutions=tuple(
                (filters, field, stride)
                for filters in values["convolution.filters"]
                for field in values["convolution.fields"]
                for stride in values["convolution.strides"]
            ),
            poolings=tuple((field, stride) for field, stride in values["pooling.windows"]),
            pooling_first=values["pooling.may-come-first"],
            pooling_after_pooling=values["pooling.may-follow-pooling"],
            fc_units=tuple(values["fully-connected.units"]),
            max_fc=values["fully-connected.max-layers"],
            fc_max_size=values["fully-connected.max-size"],
            gap=values["global-average-pooling"],
        )


def _is_bins(value: Any) -> bool:
    return (
        is_list_of(is_whole(1, 10_000))(value)
        and value == sorted(value, reverse=True)
        and value[-1] == 1
    )


def _is_window(value: Any) -> bool:
    return isinstance(value, list) and len(value) == 2 and all(map(is_whole(1, 100), value))


def _is_flag(value: Any) -> bool:
    return isinstance(value, bool)


_UNITS = "a list of distinct whole numbers from 1 to 65536"
_FLAG = "true or false"

RULES = {
    "max-depth": Rule(is_whole(1, 100), "a whole number from 1 to 100"),
    "size-bins": Rule(_is_bins, "a list of falling whole numbers that ends with 1", [8, 4, 1]),
    "field-may-equal-bin": Rule(_is_flag, _FLAG, True),
    "convolution.filters": Rule(is_list_of(is_whole(1, 65536)), _UNITS),
    "convolution.fields": Rule(
        is_list_of(lambda value: is_whole(1, 99)(value) and value % 2 == 1),
        "a list of distinct odd numbers from 1 to 99",
    ),
    "convolution.strides": Rule(
        is_list_of(is_whole(1, 8)), "a list of distinct whole numbers from 1 to 8", [1]
    ),
    "pooling.windows": Rule(
        lambda value: value == [] or is_list_of(_is_window)(value),
        "a list of distinct pairs [field, stride], each from 1 to 100, or []",
    ),
    "pooling.may-come-first": Rule(_is_flag, _FLAG, False),
    "pooling.may-follow-pooling": Rule(_is_flag, _FLAG, False),
    "fully-connected.units": Rule(is_list_of(is_whole(1, 65536)), _UNITS),
    "fully-connected.max-layers": Rule(is_whole(0, 10), "a whole number from 0 to 10"),
    "fully-connected.max-size": Rule(is_whole(1, 10_000), "one of size-bins", 4),
    "global-average-pooling": Rule(_is_flag, _FLAG, True),
}
"""The keys of a chain's TOML file."""
