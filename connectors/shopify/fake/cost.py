"""What a GraphQL document costs: scalar 0, object 1, mutation 10, a connection 2 plus its nodes.

Source: shopify.dev, graphql-admin/rate-limits. Requested cost counts the nodes a connection asks for, actual cost
those it returned; page information is free. Of `nodes(ids)` it says nothing: we charge each id like a connection's
node.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLInterfaceType,
    GraphQLObjectType,
    GraphQLSchema,
    InlineFragmentNode,
    IntValueNode,
    ListValueNode,
    OperationDefinitionNode,
    SelectionSetNode,
    VariableNode,
    get_named_type,
)

MUTATION, OBJECT, CONNECTION = 10, 1, 2


class Pricing:
    """Prices one document with its variables; valid documents only."""

    def __init__(self, schema: GraphQLSchema, document: DocumentNode, variables: Mapping[str, Any]) -> None:
        self._schema, self._variables = schema, variables
        self._fragments = {
            node.name.value: node for node in document.definitions if isinstance(node, FragmentDefinitionNode)
        }
        self._operation = next(node for node in document.definitions if isinstance(node, OperationDefinitionNode))

    @property
    def is_mutation(self) -> bool:
        """Whether the document writes."""
        return self._operation.operation.value == "mutation"

    def requested(self) -> int:
        """What is charged before it is carried out."""
        return self._total(None)

    def actual(self, data: Mapping[str, Any] | None) -> int:
        """What it took, never more than was requested."""
        return self._total(data or {})

    def _total(self, data: Mapping[str, Any] | None) -> int:
        root = self._schema.get_root_type(self._operation.operation)
        if root is None:
            return 0
        fields = self._fields(self._operation.selection_set)
        if self.is_mutation:
            return MUTATION * len(fields)
        return sum(self._field(field, root, data) for field in fields)

    def _field(self, field: FieldNode, parent: GraphQLObjectType, data: Mapping[str, Any] | None) -> int:
        definition = parent.fields.get(field.name.value)
        kind = get_named_type(definition.type) if definition else None
        if isinstance(kind, GraphQLInterfaceType):
            return self._by_id(field, None if data is None else data.get(field.name.value) or [])
        if field.selection_set is None or not isinstance(kind, GraphQLObjectType) or kind.name == "PageInfo":
            return 0
        value = None if data is None else data.get(field.alias.value if field.alias else field.name.value)
        if data is not None and value is None:
            return 0
        if kind.name.endswith("Connection"):
            return self._connection(field, kind, value)
        sample = value[0] if isinstance(value, list) and value else value
        return OBJECT + self._object(field.selection_set, kind, sample if isinstance(sample, Mapping) else None)

    def _object(self, selection: SelectionSetNode, kind: GraphQLObjectType, data: Mapping[str, Any] | None) -> int:
        return sum(self._field(field, kind, data) for field in self._fields(selection))

    def _connection(self, field: FieldNode, kind: GraphQLObjectType, value: Mapping[str, Any] | None) -> int:
        assert field.selection_set is not None
        total = CONNECTION
        for inner in self._fields(field.selection_set):
            if inner.name.value != "nodes":
                continue
            name = inner.alias.value if inner.alias else "nodes"
            if value is None:
                total += self._first(field) * self._field(inner, kind, None)
            else:
                total += sum(self._field(inner, kind, {name: node}) for node in value.get(name) or [])
        return total

    def _by_id(self, field: FieldNode, found: list[Any] | None) -> int:
        assert field.selection_set is not None
        kinds = [one for one in field.selection_set.selections if isinstance(one, InlineFragmentNode)]
        values = [None] * self._ids(field) if found is None else [node for node in found if node]
        return sum(OBJECT + self._of_kind(one, value) for value in values for one in kinds)

    def _of_kind(self, fragment: InlineFragmentNode, data: Mapping[str, Any] | None) -> int:
        kind = self._schema.get_type(fragment.type_condition.name.value) if fragment.type_condition else None
        return self._object(fragment.selection_set, kind, data) if isinstance(kind, GraphQLObjectType) else 0

    def _ids(self, field: FieldNode) -> int:
        value = next((one.value for one in field.arguments or () if one.name.value == "ids"), None)
        if isinstance(value, VariableNode):
            return len(self._variables.get(value.name.value) or [])
        return len(value.values) if isinstance(value, ListValueNode) else 0

    def _first(self, field: FieldNode) -> int:
        for argument in field.arguments or ():
            if argument.name.value == "first":
                value = argument.value
                if isinstance(value, VariableNode):
                    return int(self._variables.get(value.name.value) or 0)
                return int(value.value) if isinstance(value, IntValueNode) else 0
        return 0

    def _fields(self, selection: SelectionSetNode) -> list[FieldNode]:
        found: list[FieldNode] = []
        for node in selection.selections:
            if isinstance(node, FieldNode):
                found.append(node)
            elif isinstance(node, InlineFragmentNode):
                found += self._fields(node.selection_set)
            elif isinstance(node, FragmentSpreadNode):
                found += self._fields(self._fragments[node.name.value].selection_set)
        return found
