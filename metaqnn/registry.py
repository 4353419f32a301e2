"""What can be chosen by name. Nothing is imported before it is chosen."""

import sys
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from importlib.util import find_spec
from typing import Any, Generic, TypeVar

from metaqnn.errors import MetaqnnError
from state_space.settings import suggestion

T = TypeVar("T")

MADE = "()"
"""Behind the "module:name" of a class it stands for an object of that class."""


class Table(Collection[str], Generic[T]):
    """Parts of one kind by name: those of metaqnn, of installed packages, and "module:name".

    A package offers parts by entry points of the table's group, see docs/extending.md; they are
    looked for only under names that metaqnn has not itself.
    """

    def __init__(
        self,
        kind: str,
        places: Mapping[str, str | T],
        group: str | None = None,
        is_one: Callable[[Any], bool] = callable,
    ) -> None:
        """Know the parts of metaqnn.

        Args:
            kind: What a part is, in words.
            places: "module:name" of each part, or the part itself.
            group: Of the entry points; None where only metaqnn has such parts.
            is_one: Whether something from outside can be such a part.
        """
        self.kind = kind
        self.places = dict(places)
        self.group = group
        self.is_one = is_one

    def __contains__(self, name: object) -> bool:
        """Whether metaqnn itself has a part of this name."""
        return name in self.places

    def __len__(self) -> int:
        """The number of metaqnn's own parts."""
        return len(self.places)

    def __iter__(self) -> Iterator[str]:
        """The names of metaqnn's own parts."""
        return iter(self.places)

    def find(self, name: str) -> T:
        """Import what stands under a name.

        Raises:
            MetaqnnError: The name is unknown, cannot be imported, or is that of something else.
        """
        found: T
        if self.check(name) in self.places:
            place = self.places[name]
            found = resolve(place) if isinstance(place, str) else place
            return found
        offered = self._offered()
        try:
            found = offered[name].load() if name in offered else resolve(name)
        except MetaqnnError:
            raise
        except Exception as error:  # whatever a module of others does
            reason = " ".join(f"{type(error).__name__}: {error}".split())
            raise MetaqnnError(f"the {self.kind} {name!r} cannot be imported: {reason}") from error
        if not self.is_one(found):
            raise MetaqnnError(f"{name} is no {self.kind}")
        return found

    def check(self, name: str) -> str:
        """The name, if something stands under it; nothing is imported.

        Raises:
            MetaqnnError: It is unknown; the message gives the nearest.
        """
        if name.endswith(MADE):
            raise not_here(self.kind, name)
        is_place = self.group is not None and ":" in name
        if name not in self.places and not is_place and name not in self._offered():
            raise MetaqnnError(f"there is no {self.kind} {name!r}{suggestion(name, self.names())}")
        return name

    def _offered(self) -> dict[str, EntryPoint]:
        if self.group is None:
            return {}
        return {entry.name: entry for entry in entry_points(group=self.group)}

    def offers(self, name: str) -> bool:
        """Whether metaqnn or an installed package has such a part; its place counts as its name."""
        place = name.removesuffix(MADE)
        offered = self._offered().values()
        return name in self.places or any(place in (entry.name, entry.value) for entry in offered)

    def names(self) -> list[str]:
        """All names, those of installed packages included."""
        return [*self.places, *(name for name in self._offered() if name not in self.places)]


def not_here(kind: str, name: str) -> MetaqnnError:
    """A part that a program has made itself is not known to others."""
    role = kind.rpartition(" ")[2]
    return MetaqnnError(
        f"the {kind} {name} was made by a program, which must give it again: "
        f"metaqnn.Search.open(FOLDER, {role}=...)"
    )


def is_class_of(base: type) -> Callable[[Any], bool]:
    """Whether something is a class that inherits from another."""
    return lambda found: isinstance(found, type) and issubclass(found, base)


def check_name(kind: str, known: Iterable[str], name: str) -> str:
    """The name, if it is known.

    Raises:
        MetaqnnError: It is not; the message gives the nearest.
    """
    if name not in known:
        raise MetaqnnError(f"there is no {kind} {name!r}{suggestion(name, known)}")
    return name


def resolve(place: str) -> Any:
    """The object at "module:name"."""
    module, _, name = place.partition(":")
    return getattr(import_module(module), name)


def place_of(thing: Any) -> str:
    """What names an object: "module:name" of a function that is found there, else its class."""
    if hasattr(thing, "__qualname__"):
        place = f"{thing.__module__}:{thing.__qualname__}"
        try:
            found = resolve(place)
        except (ImportError, AttributeError):
            found = None
        return place if found is thing and thing.__module__ != "__main__" else place + MADE
    return f"{type(thing).__module__}:{type(thing).__qualname__}{MADE}"


def need(what: str, extra: str, *packages: str) -> None:
    """Look whether the packages are installed that something needs and an extra brings.

    Raises:
        MetaqnnError: One is missing; the message has the command that installs it.
    """
    missing = [name for name in packages if find_spec(name) is None]
    if missing:
        raise MetaqnnError(
            f"{what} needs {' and '.join(missing)}: "
            f"{sys.executable} -m pip install 'metaqnn[{extra}]'"
        )
