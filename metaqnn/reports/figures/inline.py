"""Figures as SVG to stand within a page."""

import re
from io import StringIO
from xml.etree import ElementTree as xml

import matplotlib as mpl
from matplotlib.figure import Figure

from metaqnn.reports.figures.style import STYLE

SVG = "http://www.w3.org/2000/svg"
LINK = "http://www.w3.org/1999/xlink"

NO_METADATA = dict.fromkeys(("Creator", "Date", "Format", "Type"))

xml.register_namespace("", SVG)
xml.register_namespace("xlink", LINK)


def inline_svg(figure: Figure, name: str, label: str) -> str:
    """The figure as an element svg, whose text is text.

    Several may stand in one page: ids begin with the name, and there is no style sheet, which would
    hold for all of the page.

    Args:
        figure: Drawn within the style.
        name: Of the figure, unique in the page.
        label: For those who cannot see it.
    """
    with mpl.rc_context(STYLE):
        written = StringIO()
        figure.savefig(written, format="svg", metadata=NO_METADATA, transparent=True)
    root = xml.fromstring(written.getvalue())
    for parent in list(root.iter()):
        for style in parent.findall(f"{{{SVG}}}style"):
            parent.remove(style)
    for element in root.iter():
        for key, value in element.items():
            if key == "id":
                element.set(key, f"{name}-{value}")
            elif key == f"{{{LINK}}}href" and value.startswith("#"):
                element.set(key, f"#{name}-{value[1:]}")
            else:
                element.set(key, re.sub(r"url\(#", f"url(#{name}-", value))
    # what the style sheet said
    root.set("style", "stroke-linejoin: round; stroke-linecap: butt")
    root.set("role", "img")
    root.set("aria-label", label)
    for size in ("width", "height"):  # the page decides
        del root.attrib[size]
    return xml.tostring(root, encoding="unicode")
