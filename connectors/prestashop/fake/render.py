"""Replies as the webservice writes them, quirks included. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from xml.etree import ElementTree as ET

import orjson

from connectors.prestashop.fake.records import Row
from connectors.prestashop.fake.schema import COMBINATIONS, ORDERS, PRODUCTS, Resource
from connectors.prestashop.fake.store import Shop

XLINK = "http://www.w3.org/1999/xlink"


def record(shop: Shop, resource: Resource, row: Row, names: Sequence[str] | None) -> dict[str, Any]:
    """One record: numbers as text but for the id, multilingual fields as a list unless there is one language."""
    shown: dict[str, Any] = {}
    for name in names or resource.fields:
        value = row[name]
        shown[name] = _languages(value) if isinstance(value, dict) else value
    if shown.get("manufacturer_name") == "":
        shown["manufacturer_name"] = False
    if names is None and (associations := _associations(shop, resource, row)):
        shown["associations"] = associations
    return shown


def as_json(resource: Resource, records: Sequence[Mapping[str, Any]], *, single: bool) -> bytes:
    """An empty list is `[]`; one record stands under the singular."""
    if single:
        return orjson.dumps({resource.entity: records[0]})
    return orjson.dumps({resource.name: records} if records else [])


def as_xml(resource: Resource, records: Sequence[Mapping[str, Any]], *, single: bool) -> bytes:
    """`<prestashop>` with the record, or with the list in its plural."""
    ET.register_namespace("xlink", XLINK)
    root = ET.Element("prestashop")
    parent = root if single else ET.SubElement(root, resource.name)
    for one in records:
        _fill(ET.SubElement(parent, resource.entity), one)
    return bytes(ET.tostring(root, encoding="utf-8", xml_declaration=True))


def errors(found: Sequence[tuple[int, str]], *, json: bool) -> bytes:
    """Codes and messages."""
    if json:
        return orjson.dumps({"errors": [{"code": code, "message": message} for code, message in found]})
    root = ET.Element("prestashop")
    listed = ET.SubElement(root, "errors")
    for code, message in found:
        _fill(ET.SubElement(listed, "error"), {"code": code, "message": message})
    return bytes(ET.tostring(root, encoding="utf-8", xml_declaration=True))


def _languages(texts: Mapping[str, str]) -> Any:
    if len(texts) == 1:
        return next(iter(texts.values()))
    return [{"id": language, "value": text} for language, text in texts.items()]


def _associations(shop: Shop, resource: Resource, row: Row) -> dict[str, Any]:
    if resource is PRODUCTS:
        combinations = [{"id": str(one["id"])} for one in shop.index.combinations.get(str(row["id"]), [])]
        stock = shop.index.stock.get(str(row["id"]), {})
        rows = [{"id": str(one["id"]), "id_product_attribute": one["id_product_attribute"]} for one in stock.values()]
        found = {"combinations": combinations, "stock_availables": rows}
    elif resource is COMBINATIONS:
        found = {"product_option_values": [{"id": str(row["id"])}]}
    elif resource is ORDERS:
        found = {"order_rows": shop.lines[row["id"]]}
    else:
        found = {}
    return {name: entries for name, entries in found.items() if entries}


def _fill(parent: ET.Element, values: Mapping[str, Any]) -> None:
    for name, value in values.items():
        element = ET.SubElement(parent, name)
        if isinstance(value, dict):
            for association, entries in value.items():
                listed = ET.SubElement(element, association, nodeType=association)
                for entry in entries:
                    _fill(ET.SubElement(listed, association.rstrip("s")), entry)
        elif isinstance(value, list):
            for entry in value:
                ET.SubElement(element, "language", id=str(entry["id"])).text = entry["value"]
        else:
            element.text = "" if value is False else str(value)
