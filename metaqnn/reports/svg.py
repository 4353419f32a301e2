"""What drawings of networks are made of."""

from xml.etree import ElementTree as xml

LINE = 15
"""Between two lines of text."""

HEAD = 5
"""Length of an arrow's head."""

BORDER, INK = "#8c959f", "#1f2328"


def make_svg(width: float, height: float, label: str) -> xml.Element:
    """An empty drawing; the label says what it shows."""
    return xml.Element(
        "svg",
        {
            "xmlns": "http://www.w3.org/2000/svg",
            "viewBox": f"0 0 {width:g} {height:g}",
            "width": f"{width:g}",
            "height": f"{height:g}",
            "role": "img",
            "aria-label": label,
            "font-family": "system-ui, sans-serif",
            "font-size": "11.5",
            "text-anchor": "middle",
        },
    )


def add_box(
    root: xml.Element,
    left: float,
    top: float,
    width: float,
    height: float,
    fill: str,
    round_: float,
) -> xml.Element:
    """A rectangle with round corners."""
    box = {"x": f"{left:g}", "y": f"{top:g}", "rx": f"{round_:g}", "fill": fill, "stroke": BORDER}
    return xml.SubElement(root, "rect", box, width=f"{width:g}", height=f"{height:g}")


def add_text(root: xml.Element, x: float, y: float, line: str, fill: str = INK) -> xml.Element:
    """A line of text around x."""
    text = xml.SubElement(root, "text", x=f"{x:g}", y=f"{y:g}")
    text.text = line
    text.set("fill", fill)
    return text


def add_line(root: xml.Element, path: str) -> xml.Element:
    """A line in the colour of the text around the drawing."""
    look = {"stroke": "currentColor", "stroke-width": "1.3", "fill": "none"}
    return xml.SubElement(root, "path", look, d=path)


def add_head(root: xml.Element, x: float, y: float, *, down: bool = False) -> xml.Element:
    """The head of an arrow to the right, or down, that ends here."""
    shape = f"l{-HEAD / 2} {-HEAD}h{HEAD}z" if down else f"l{-HEAD} {-HEAD / 2}v{HEAD}z"
    return xml.SubElement(root, "path", d=f"M{x:g} {y:g}{shape}", fill="currentColor")
