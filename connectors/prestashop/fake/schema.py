"""The resources as the webservice declares them: fields, defaults, validation. Pure.

Source: PrestaShop, classes/Product.php, Combination.php, stock/StockAvailable.php, order/Order.php, OrderCarrier.php,
OrderHistory.php (`definition` and `webserviceParameters`), a subset of the fields.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

CHECKS = {
    "isInt": r"-?\d{1,10}",
    "isUnsignedId": r"\d{1,10}",
    "isBool": r"[01]?",
    "isPrice": r"\d{1,10}(\.\d{1,9})?",
    "isNegativePrice": r"-?\d{1,10}(\.\d{1,9})?",
    "isUnsignedFloat": r"\d*\.?\d*",
    "isEan13": r"\d{0,13}",
    "isReference": r"[^<>;={}]*",
    "isDate": r"(\d{4}-\d\d-\d\d( \d\d:\d\d:\d\d)?)?",
    "isTrackingNumber": r"[~:#,%&_=()\[\].? +\-@/a-zA-Z0-9]{0,64}",
    "isCatalogName": r"[^<>;=#{}]*",
    "isAnything": r"(?s:.*)",
}
_NUMBERS = frozenset({"isInt", "isUnsignedId", "isBool", "isPrice", "isNegativePrice", "isUnsignedFloat"})


@dataclass(frozen=True)
class Field:
    """One field. `default`: what an absent optional field becomes; `stored` is false for what the shop computes, which
    cannot be filtered by and keeps its value when it is absent; `readonly` is refused in a write."""

    check: str = "isAnything"
    default: str = ""
    required: bool = False
    stored: bool = True
    readonly: bool = False
    i18n: bool = False

    @property
    def numeric(self) -> bool:
        """Whether the database compares it as a number."""
        return self.check in _NUMBERS

    def accepts(self, text: str) -> bool:
        """Validation as in the vendor's ObjectModel: an empty optional value is not validated."""
        return re.fullmatch(CHECKS[self.check], text) is not None if text else not self.required


@dataclass(frozen=True)
class Resource:
    """One resource. `entity`: name of one record; `methods`: what the shop's key may do."""

    name: str
    entity: str
    fields: Mapping[str, Field]
    methods: frozenset[str] = field(default=frozenset({"GET", "HEAD", "PUT"}))


_ID = Field("isUnsignedId", "0")
_FLAG = Field("isBool", "0")
_TEXT = Field()
_FLOAT = Field("isUnsignedFloat", "0.000000")
_DATE = Field("isDate", "0000-00-00 00:00:00")
_COMPUTED = Field(stored=False)
_CODES = {"ean13": Field("isEan13"), "isbn": _TEXT, "upc": _TEXT, "mpn": _TEXT}

PRODUCTS = Resource(
    "products",
    "product",
    {
        "id": _ID,
        "id_manufacturer": _ID,
        "id_category_default": _ID,
        "new": _TEXT,
        "cache_default_attribute": _ID,
        "id_default_image": _COMPUTED,
        "id_default_combination": _COMPUTED,
        "id_tax_rules_group": _ID,
        "position_in_category": _COMPUTED,
        "manufacturer_name": Field(stored=False, readonly=True),
        "quantity": Field(stored=False, readonly=True),
        "type": _COMPUTED,
        "reference": Field("isReference"),
        "supplier_reference": Field("isReference"),
        "width": _FLOAT,
        "weight": _FLOAT,
        **_CODES,
        "is_virtual": _FLAG,
        "state": Field("isUnsignedId", "0"),
        "on_sale": _FLAG,
        "minimal_quantity": Field("isUnsignedId", "1"),
        "price": Field("isPrice", required=True),
        "wholesale_price": Field("isPrice", "0.000000"),
        "active": _FLAG,
        "available_date": Field("isDate", "0000-00-00"),
        "condition": Field(default="new"),
        "visibility": Field(default="both"),
        "date_add": _DATE,
        "date_upd": _DATE,
        "name": Field("isCatalogName", required=True, i18n=True),
        "link_rewrite": Field(required=True, i18n=True),
        "description": Field(i18n=True),
    },
)
COMBINATIONS = Resource(
    "combinations",
    "combination",
    {
        "id": _ID,
        "id_product": Field("isUnsignedId", required=True),
        **_CODES,
        "reference": Field("isReference"),
        "supplier_reference": Field("isReference"),
        "wholesale_price": Field("isNegativePrice", "0.000000"),
        "price": Field("isNegativePrice", "0.000000"),
        "weight": Field("isNegativePrice", "0.000000"),
        "minimal_quantity": Field("isUnsignedId", required=True),
        "default_on": Field("isBool"),
        "available_date": Field("isDate", "0000-00-00"),
    },
)
STOCK = Resource(
    "stock_availables",
    "stock_available",
    {
        "id": _ID,
        "id_product": Field("isUnsignedId", required=True),
        "id_product_attribute": Field("isUnsignedId", required=True),
        "id_shop": Field("isUnsignedId", "0"),
        "id_shop_group": Field("isUnsignedId", "0"),
        "quantity": Field("isInt", required=True),
        "depends_on_stock": Field("isBool", required=True),
        "out_of_stock": Field("isInt", required=True),
        "location": _TEXT,
    },
)
ORDERS = Resource(
    "orders",
    "order",
    {
        "id": _ID,
        "id_cart": _ID,
        "id_currency": _ID,
        "id_customer": _ID,
        "current_state": _ID,
        "module": _TEXT,
        "payment": _TEXT,
        "date_add": _DATE,
        "date_upd": _DATE,
        "total_paid": _FLOAT,
        "total_paid_tax_incl": _FLOAT,
        "reference": _TEXT,
    },
    frozenset({"GET", "HEAD"}),
)
CARRIERS = Resource(
    "order_carriers",
    "order_carrier",
    {
        "id": _ID,
        "id_order": Field("isUnsignedId", required=True),
        "id_carrier": Field("isUnsignedId", required=True),
        "id_order_invoice": _ID,
        "weight": _FLOAT,
        "shipping_cost_tax_excl": _FLOAT,
        "shipping_cost_tax_incl": _FLOAT,
        "tracking_number": Field("isTrackingNumber"),
        "date_add": _DATE,
    },
)
HISTORIES = Resource(
    "order_histories",
    "order_history",
    {
        "id": _ID,
        "id_employee": _ID,
        "id_order_state": Field("isUnsignedId", required=True),
        "id_order": Field("isUnsignedId", required=True),
        "date_add": _DATE,
    },
    frozenset({"GET", "HEAD", "POST"}),
)
RESOURCES = {one.name: one for one in (PRODUCTS, COMBINATIONS, STOCK, ORDERS, CARRIERS, HISTORIES)}
