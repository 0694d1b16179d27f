"""Request bodies: the webservice accepts XML only. Pure.

Source: PrestaShop, classes/webservice/WebserviceRequest.php, saveEntityFromXml.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from xml.etree import ElementTree as ET

from connectors.kit.errors import Invalid

# What XML 1.0 cannot carry, not even escaped (section 2.2).
_FORBIDDEN = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def document(entity: str, fields: Mapping[str, Any]) -> bytes:
    """`<prestashop><entity><field>value</field>...`, UTF-8. A value is a scalar, None (an empty element) or a
    multilingual list of {id, value}. Raises Invalid, naming the field, for a text that XML cannot carry."""
    root = ET.Element("prestashop")
    record = ET.SubElement(root, entity)
    for name, value in fields.items():
        element = ET.SubElement(record, name)
        if isinstance(value, list):
            _languages(element, f"{entity}.{name}", value)
        else:
            element.text = _text(f"{entity}.{name}", value)
    # A parser reads a bare carriage return as a line feed, and ElementTree does not escape it in text.
    text: bytes = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    return text.replace(b"\r", b"&#13;")


def _languages(element: ET.Element, at: str, values: list[Any]) -> None:
    for value in values:
        if not isinstance(value, dict) or "id" not in value:
            raise Invalid(f"{at}: not a multilingual value: {str(value)[:40]!r}", hint="expected objects of id, value")
        child = ET.SubElement(element, "language", id=_text(at, value["id"]))
        child.text = _text(at, value.get("value"))


def _text(at: str, value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "1" if value else "0"
    if isinstance(value, dict | list):
        raise Invalid(f"{at}: cannot be sent as text", hint="leave associations out of the request")
    text = str(value)
    if found := _FORBIDDEN.search(text):
        raise Invalid(f"{at}: character {ord(found[0]):#x} at {found.start()} cannot be sent in XML")
    return text
