"""The GraphQL documents we send, and what each is expected to cost. Pure.

Costs follow shopify.dev, graphql-admin/rate-limits: scalar 0, object 1, mutation 10, a connection as many times its
node as it asks for (plus 2); one document may ask for 1000 points. They seed the pacing; every reply says what was
charged. The page sizes keep every document well below the limit.
"""

from __future__ import annotations

PRODUCT_PAGE = 10
VARIANTS_PER_PRODUCT = 10  # of a product page; a product with more is read to its end on its own
VARIANT_PAGE = 100
LEVELS_PER_ITEM = 50
LEVEL_PAGE = 50
ORDER_PAGE = 10
LINES_PER_ORDER = 10  # of an order page; an order with more is read to its end on its own
LINE_PAGE = 100
SKU_PAGE = 250
SUBSCRIPTION_PAGE = 100

_VARIANT = """
fragment VariantFields on ProductVariant {
  id sku barcode price compareAtPrice updatedAt
  selectedOptions { name value }
  inventoryItem { id tracked requiresShipping measurement { weight { value unit } } }
}
"""
_PRODUCT = """
fragment ProductFields on Product {
  id title descriptionHtml vendor productType tags handle status createdAt updatedAt
  variants(first: $variants) { nodes { ...VariantFields } pageInfo { hasNextPage endCursor } }
}
"""
_LEVEL = """
fragment LevelFields on InventoryLevel {
  id updatedAt
  location { id }
  quantities(names: ["available", "on_hand", "committed", "incoming"]) { name quantity }
}
"""

PRODUCTS = (
    """
query SluiceProducts($first: Int!, $after: String, $query: String, $variants: Int!) {
  products(first: $first, after: $after, query: $query, sortKey: UPDATED_AT) {
    nodes { ...ProductFields }
    pageInfo { hasNextPage endCursor }
  }
}
"""
    + _PRODUCT
    + _VARIANT
)

PRODUCT = (
    """
query SluiceProduct($id: ID!, $variants: Int!) {
  product(id: $id) { ...ProductFields }
}
"""
    + _PRODUCT
    + _VARIANT
)

PRODUCT_VARIANTS = (
    """
query SluiceProductVariants($id: ID!, $first: Int!, $after: String) {
  product(id: $id) {
    variants(first: $first, after: $after) { nodes { ...VariantFields } pageInfo { hasNextPage endCursor } }
  }
}
"""
    + _VARIANT
)

INVENTORY_ITEM = (
    """
query SluiceInventoryItem($id: ID!, $levels: Int!, $after: String) {
  inventoryItem(id: $id) {
    id sku tracked requiresShipping updatedAt
    measurement { weight { value unit } }
    variant {
      id barcode price compareAtPrice updatedAt
      selectedOptions { name value }
      product { id }
    }
    inventoryLevels(first: $levels, after: $after) {
      nodes { ...LevelFields }
      pageInfo { hasNextPage endCursor }
    }
  }
}
"""
    + _LEVEL
)

LOCATION_LEVELS = (
    """
query SluiceLocationLevels($id: ID!, $first: Int!, $after: String, $query: String) {
  location(id: $id) {
    inventoryLevels(first: $first, after: $after, query: $query) {
      nodes { ...LevelFields item { id sku tracked } }
      pageInfo { hasNextPage endCursor }
    }
  }
}
"""
    + _LEVEL
)

_LINE = """
fragment LineFields on LineItem {
  id sku quantity currentQuantity unfulfilledQuantity
  variant { id }
  originalUnitPriceSet { shopMoney { amount } }
}
"""
_ORDER = """
fragment OrderFields on Order {
  id name createdAt updatedAt cancelledAt closedAt currencyCode taxesIncluded
  displayFinancialStatus displayFulfillmentStatus
  totalPriceSet { shopMoney { amount } }
  customer { id }
  lineItems(first: $lines) { nodes { ...LineFields } pageInfo { hasNextPage endCursor } }
}
"""

ORDERS = (
    """
query SluiceOrders($first: Int!, $after: String, $query: String, $lines: Int!) {
  orders(first: $first, after: $after, query: $query, sortKey: UPDATED_AT) {
    nodes { ...OrderFields }
    pageInfo { hasNextPage endCursor }
  }
}
"""
    + _ORDER
    + _LINE
)

ORDER = (
    """
query SluiceOrder($id: ID!, $lines: Int!) {
  order(id: $id) { ...OrderFields }
}
"""
    + _ORDER
    + _LINE
)

ORDER_LINES = (
    """
query SluiceOrderLines($id: ID!, $first: Int!, $after: String) {
  order(id: $id) {
    lineItems(first: $first, after: $after) { nodes { ...LineFields } pageInfo { hasNextPage endCursor } }
  }
}
"""
    + _LINE
)

SKUS = """
query SluiceSkus($first: Int!, $after: String, $query: String) {
  productVariants(first: $first, after: $after, query: $query, sortKey: ID) {
    nodes { id sku }
    pageInfo { hasNextPage endCursor }
  }
}
"""

SUBSCRIPTIONS = """
query SluiceSubscriptions($first: Int!, $after: String) {
  webhookSubscriptions(first: $first, after: $after) {
    nodes { id topic uri }
    pageInfo { hasNextPage endCursor }
  }
}
"""

SUBSCRIBE = """
mutation SluiceSubscribe($topic: WebhookSubscriptionTopic!, $subscription: WebhookSubscriptionInput!) {
  webhookSubscriptionCreate(topic: $topic, webhookSubscription: $subscription) {
    webhookSubscription { id topic uri }
    userErrors { field message }
  }
}
"""

ONE_LEVEL = (
    """
query SluiceLevel($id: ID!, $location: ID!) {
  inventoryItem(id: $id) {
    id sku tracked
    inventoryLevel(locationId: $location) { ...LevelFields }
  }
}
"""
    + _LEVEL
)

_SET_QUANTITIES = """
mutation SluiceSetQuantities($input: InventorySetQuantitiesInput!%(parameter)s) {
  inventorySetQuantities(input: $input)%(directive)s {
    inventoryAdjustmentGroup { id referenceDocumentUri }
    userErrors { field message code }
  }
}
"""
SET_QUANTITIES = _SET_QUANTITIES % {"parameter": "", "directive": ""}
SET_QUANTITIES_IDEMPOTENT = _SET_QUANTITIES % {
    "parameter": ", $key: String!",
    "directive": " @idempotent(key: $key)",
}

PRICE = (
    """
query SluicePrice($id: ID!) {
  productVariant(id: $id) { ...VariantFields product { id } }
}
"""
    + _VARIANT
)

PRICES = (
    """
query SluicePrices($ids: [ID!]!) {
  nodes(ids: $ids) { ... on ProductVariant { ...VariantFields product { id } } }
}
"""
    + _VARIANT
)

SET_PRICES = (
    """
mutation SluiceSetPrices($productId: ID!, $variants: [ProductVariantsBulkInput!]!) {
  productVariantsBulkUpdate(productId: $productId, variants: $variants) {
    productVariants { ...VariantFields product { id } }
    userErrors { field message code }
  }
}
"""
    + _VARIANT
)

SET_PRICES_PARTIAL = (
    """
mutation SluiceSetSomePrices($productId: ID!, $variants: [ProductVariantsBulkInput!]!, $partial: Boolean!) {
  productVariantsBulkUpdate(productId: $productId, variants: $variants, allowPartialUpdates: $partial) {
    productVariants { ...VariantFields product { id } }
    userErrors { field message code }
  }
}
"""
    + _VARIANT
)

# An order with more than these is told by a person: reading on would cost more than an order is worth.
ORDER_PAGES = {"fulfilments": 20, "orders": 5, "lines": 50}

ORDER_TO_FULFIL = """
query SluiceOrderToFulfil($id: ID!, $fulfilments: Int!, $orders: Int!, $lines: Int!) {
  order(id: $id) {
    id
    fulfillments(first: $fulfilments) {
      id status
      trackingInfo { number }
      fulfillmentLineItems(first: $lines) { nodes { quantity lineItem { id } } pageInfo { hasNextPage } }
    }
    fulfillmentOrders(first: $orders) {
      nodes {
        id status
        assignedLocation { location { id } }
        lineItems(first: $lines) { nodes { id remainingQuantity lineItem { id sku } } pageInfo { hasNextPage } }
      }
      pageInfo { hasNextPage }
    }
  }
}
"""

CREATE_FULFILMENT = """
mutation SluiceCreateFulfilment($fulfillment: FulfillmentInput!) {
  fulfillmentCreate(fulfillment: $fulfillment) {
    fulfillment { id status }
    userErrors { field message }
  }
}
"""

_VARIANT_COST = 5  # itself, options, inventory item, measurement, weight
_LEVEL_COST = 3  # itself, location, quantities
_LINE_COST = 4  # itself, variant, unit price, its amount in the shop's money
_ORDER_COST = 4  # itself, total, its amount, customer
_CONNECTION_COST = 2
MUTATION_COST = 10
PRICE_COST = _VARIANT_COST + 1
ONE_LEVEL_COST = 1 + _LEVEL_COST


def product_cost(variants: int) -> int:
    """Points of one product with a page of so many variants."""
    return 1 + variants_cost(variants)


def variants_cost(first: int) -> int:
    """Points of a page of variants."""
    return _CONNECTION_COST + first * _VARIANT_COST


PRODUCTS_COST = _CONNECTION_COST + PRODUCT_PAGE * product_cost(VARIANTS_PER_PRODUCT)
PRODUCT_COST = product_cost(VARIANTS_PER_PRODUCT)
PRODUCT_VARIANTS_COST = product_cost(VARIANT_PAGE)
INVENTORY_ITEM_COST = 6 + _CONNECTION_COST + LEVELS_PER_ITEM * _LEVEL_COST
LOCATION_LEVELS_COST = 1 + _CONNECTION_COST + LEVEL_PAGE * (_LEVEL_COST + 1)
ORDER_COST = _ORDER_COST + _CONNECTION_COST + LINES_PER_ORDER * _LINE_COST
ORDERS_COST = _CONNECTION_COST + ORDER_PAGE * ORDER_COST
ORDER_LINES_COST = 1 + _CONNECTION_COST + LINE_PAGE * _LINE_COST
SKUS_COST = _CONNECTION_COST + SKU_PAGE
SUBSCRIPTIONS_COST = _CONNECTION_COST + SUBSCRIPTION_PAGE
_LINES_TO_FULFIL_COST = _CONNECTION_COST + ORDER_PAGES["lines"] * 2  # itself and the order's line
# A list that is no connection is charged as one object.
ORDER_TO_FULFIL_COST = (
    3 + _LINES_TO_FULFIL_COST + _CONNECTION_COST + ORDER_PAGES["orders"] * (3 + _LINES_TO_FULFIL_COST)
)
