"""A PUT or POST, as the webservice carries it out: every field is replaced, an absent optional one becomes its default.

Source: PrestaShop, classes/webservice/WebserviceRequest.php (saveEntityFromXml), stock/StockAvailable.php (postSave).
"""

from __future__ import annotations

from typing import Any
from xml.etree import ElementTree as ET

from connectors.prestashop.fake.errors import WebserviceError
from connectors.prestashop.fake.records import Row, Sold
from connectors.prestashop.fake.schema import CARRIERS, COMBINATIONS, ORDERS, PRODUCTS, STOCK, Field, Resource
from connectors.prestashop.fake.store import API, Shop


def put(shop: Shop, resource: Resource, body: bytes, request_id: str) -> Row:
    """Replace one record and return it. Raises WebserviceError as the vendor does; then nothing was changed."""
    element = _entity(body)
    remote_id = (element.findtext("id") or "").strip()
    if not remote_id:
        raise WebserviceError(400, 90, "id is required when modifying a resource")
    row = shop.tables[resource.name].get(int(remote_id) if remote_id.isdecimal() else 0)
    if row is None:
        raise WebserviceError(404, 92, "Invalid ID")
    values = {name: _value(shop, row, name, field, element) for name, field in resource.fields.items() if name != "id"}
    _validate(resource, values)
    _save(shop, resource, row, values, request_id)
    return row


def post(shop: Shop, resource: Resource, body: bytes, request_id: str) -> Row:
    """Add a row of an order's history and return it. Raises WebserviceError as the vendor does."""
    element = _entity(body)
    if (element.findtext("id") or "").strip():
        raise WebserviceError(400, 90, "id is forbidden when adding a new resource")
    blank: Row = {name: field.default for name, field in resource.fields.items()}
    values = {name: _value(shop, blank, name, field, element) for name, field in resource.fields.items()}
    _validate(resource, values)
    if int(values["id_order"]) not in shop.tables[ORDERS.name]:
        raise WebserviceError(500, 46, "Unable to save resource")
    return shop.add_history({name: value for name, value in values.items() if name != "id"}, request_id)


def _entity(body: bytes) -> ET.Element:
    try:
        root = ET.fromstring(body)
    except ET.ParseError as error:
        raise WebserviceError(500, 127, f"XML error : {error}") from None
    if len(root) != 1:  # several are accepted by the vendor; nobody here sends them
        raise WebserviceError(400, 90, "id is required when modifying a resource")
    return root[0]


def _value(shop: Shop, row: Row, name: str, field: Field, entity: ET.Element) -> Any:
    element = entity.find(name)
    if element is None:
        if field.required and not field.i18n:
            raise WebserviceError(400, 41, f'parameter "{name}" required')
        return _absent(shop, row, name, field)
    if field.readonly:
        message = f'parameter "{name}" not writable. Please remove this attribute of this XML'
        raise WebserviceError(400, 93, message)
    if not field.i18n:
        return element.text or ""
    spoken = {language.get("id", ""): language.text or "" for language in element.findall("language")}
    return {**row[name], **spoken} if spoken else dict.fromkeys(row[name], element.text or "")


def _absent(shop: Shop, row: Row, name: str, field: Field) -> Any:
    if not field.stored:
        return row[name]
    return dict.fromkeys(row[name], "") if field.i18n else field.default


def _validate(resource: Resource, values: Row) -> None:
    for name, field in resource.fields.items():
        if name == "id":
            continue
        texts = values[name].values() if field.i18n else (values[name],)
        if not all(field.accepts(text) for text in texts):
            code = 84 if field.i18n else 85
            raise WebserviceError(400, code, f'Validation error: "Property {resource.entity}->{name} is not valid"')


def _save(shop: Shop, resource: Resource, row: Row, values: Row, request_id: str) -> None:
    if resource is STOCK:
        _save_stock(shop, row, values, request_id)
        return
    if resource is CARRIERS:
        before_number = row["tracking_number"]
        row.update(values)
        shop.note_tracking(row, before_number, request_id)
        return
    affected = _affected(shop, resource, row)
    before = [(sold, sold.price) for sold in affected]
    row.update(values)
    if "date_upd" in row:
        row["date_upd"] = shop.time
    shop.reindex()
    for sold, price in before:
        shop.note_price(sold, price, API, request_id)


def _save_stock(shop: Shop, row: Row, values: Row, request_id: str) -> None:
    before, moved = row["quantity"], row["id_shop"] != values["id_shop"]
    if row["depends_on_stock"] == "1" and values["depends_on_stock"] == "1":
        values["quantity"] = before  # the warehouses decide
    row.update(values)
    if moved:
        shop.reindex()
    shop.note_stock(row, before, API, request_id)


def _affected(shop: Shop, resource: Resource, row: Row) -> list[Sold]:
    """What a write of this record may change the price of."""
    if resource is PRODUCTS:
        return shop.index.sold(row)
    product = shop.tables[PRODUCTS.name].get(int(row["id_product"])) if resource is COMBINATIONS else None
    return [Sold(product, row)] if product else []
