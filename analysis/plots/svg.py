"""Makes matplotlib's SVG fit to stand in a page: text alternative, own ids, nothing fetched, nothing dated.

Public: finish (a plot's SVG for a file), inline (the same for the body of an HTML page), plain_text.
"""

import re
from xml.etree import ElementTree

SVG = "http://www.w3.org/2000/svg"
XLINK = "http://www.w3.org/1999/xlink"
XML_SPACE = "{http://www.w3.org/XML/1998/namespace}space"
_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_URL = re.compile(r"url\(#([^)]+)\)")

ElementTree.register_namespace("", SVG)
ElementTree.register_namespace("xlink", XLINK)


def plain_text(text: str) -> str:
    """Text on one line without the characters that XML cannot carry."""
    return " ".join(_NOT_XML.sub("\ufffd", text).split())


def finish(raw: str, name: str, title: str, description: str) -> str:
    """Prefix every id with the plot's name, drop metadata and global styles, add <title> and <desc>."""
    root = ElementTree.fromstring(raw)
    for unwanted in ("metadata", "title", "desc"):
        for element in root.findall(f"{{{SVG}}}{unwanted}"):
            root.remove(element)
    for definitions in root.iter(f"{{{SVG}}}defs"):
        for style in definitions.findall(f"{{{SVG}}}style"):
            definitions.remove(style)
    for element in root.iter():
        _prefix_ids(element, name)
    root.set("id", f"plot-{name}")
    root.set("role", "img")
    root.set("aria-labelledby", f"{name}-title {name}-desc")
    root.set("stroke-linejoin", "round")
    for position, (tag, text) in enumerate((("title", title), ("desc", description))):
        element = ElementTree.Element(f"{{{SVG}}}{tag}", {"id": f"{name}-{tag}"})
        element.text = plain_text(text)
        root.insert(position, element)
    return ElementTree.tostring(root, encoding="unicode")


def inline(svg: str) -> str:
    """The finished SVG as an HTML page takes it: width by the page's style sheet, no namespace addresses."""
    root = ElementTree.fromstring(svg)
    for size in ("width", "height"):
        root.attrib.pop(size, None)
    opening, rest = ElementTree.tostring(root, encoding="unicode").split(">", 1)
    return re.sub(r' xmlns(:xlink)?="[^"]*"', "", opening) + ">" + rest


def _prefix_ids(element: ElementTree.Element, name: str) -> None:
    for key, value in element.attrib.items():
        if key == "id":
            element.set(key, f"{name}-{value}")
        elif key == f"{{{XLINK}}}href" and value.startswith("#"):
            element.set(key, f"#{name}-{value[1:]}")
        else:
            shown = _URL.sub(rf"url(#{name}-\1)", value)
            element.set(key, shown.replace("'DejaVu Sans'", "'DejaVu Sans', sans-serif"))
