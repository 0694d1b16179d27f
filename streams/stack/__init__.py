"""A real Kafka and a real schema registry on this computer, without Docker.

Reading order: `layout` (versions, folders, what a caller may choose), `jars` (fetched once from Maven Central),
`kafka` and `registry` (pure: configuration text and command lines), `state` (what is remembered between two calls),
`process` (detached processes that are never mistaken for others), `stack` (up, down, status, faults).
"""

from streams.stack.errors import StackError
from streams.stack.layout import Endpoints, StackOptions
from streams.stack.stack import LocalStack

__all__ = ["Endpoints", "LocalStack", "StackError", "StackOptions"]
