"""Request bodies."""

from __future__ import annotations

import pytest

from connectors.kit.errors import Invalid
from connectors.prestashop import xml


def test_a_record_is_written_as_the_webservice_reads_it() -> None:
    body = xml.document("stock_available", {"id": 55, "quantity": 6, "location": None, "out_of_stock": True})
    assert body == (
        b"<?xml version='1.0' encoding='utf-8'?>\n"
        b"<prestashop><stock_available><id>55</id><quantity>6</quantity><location />"
        b"<out_of_stock>1</out_of_stock></stock_available></prestashop>"
    )


def test_each_language_is_an_element_of_its_own() -> None:
    body = xml.document("product", {"name": [{"id": "1", "value": "Mug"}, {"id": "2", "value": None}]})
    assert b'<name><language id="1">Mug</language><language id="2"' in body


def test_markup_in_a_value_stays_text() -> None:
    body = xml.document("product", {"description": "</description><price>0</price> & ]]>"})
    assert b"<price>" not in body
    assert b"&lt;/description&gt;&lt;price&gt;0&lt;/price&gt; &amp; ]]&gt;" in body


@pytest.mark.parametrize("text", ["\x00", "a\x1fb", "\ud800", "\ufffe"])
def test_a_character_that_xml_cannot_carry_is_refused_with_the_fields_name(text: str) -> None:
    with pytest.raises(Invalid, match=r"product\.name"):
        xml.document("product", {"name": text})
    with pytest.raises(Invalid, match=r"product\.name"):
        xml.document("product", {"name": [{"id": "1", "value": text}]})


@pytest.mark.parametrize("value", [{"combinations": []}, ["text"], [{"value": "no id"}], [{"id": 1, "value": []}]])
def test_a_value_that_is_no_text_is_refused(value: object) -> None:
    with pytest.raises(Invalid, match=r"product\.field"):
        xml.document("product", {"field": value})
