"""The JSON Schema of an output record in Avro and in Protobuf, for registries.

The contracts use few words: objects with named fields, objects as maps, lists, text, numbers, booleans, and null beside
one of these. A field that may be null or missing is a union with null in Avro and `optional` in Protobuf.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

PACKAGE = "streamrnn"
_AVRO = {"string": "string", "number": "double", "integer": "long", "boolean": "boolean"}
_PROTOBUF = {"string": "string", "number": "double", "integer": "int64", "boolean": "bool"}


def avro(schema: Mapping[str, Any]) -> dict[str, Any]:
    """A record schema with the same fields."""
    return _Avro(schema).record(schema)


def protobuf(schema: Mapping[str, Any]) -> tuple[str, Callable[[Any], Any]]:
    """A .proto text whose first message has the same fields, numbered in their order, and what fits a record to it.

    Protobuf has no maps of lists: a list in a map is a message with `values`; nor nulls in lists: they are left out.
    """
    made = _Protobuf(schema)
    return made.file(), made.fitted


class _Language:
    def __init__(self, schema: Mapping[str, Any]) -> None:
        self._definitions = schema.get("$defs", {})

    def _resolved(self, schema: Mapping[str, Any]) -> Mapping[str, Any]:
        if "$ref" in schema:
            found: Mapping[str, Any] = self._definitions[schema["$ref"].rpartition("/")[2]]
            return found
        return schema

    def _without_null(self, schema: Mapping[str, Any]) -> tuple[Mapping[str, Any], bool]:
        """The schema of what is not null, and whether null is allowed, too."""
        some = [one for one in schema.get("anyOf", ()) if one.get("type") != "null"]
        if "anyOf" not in schema:
            return self._resolved(schema), False
        if len(some) != 1:
            raise NotImplementedError(f"a field of several kinds: {schema}")
        return self._resolved(some[0]), len(some) < len(schema["anyOf"])

    @staticmethod
    def _items(schema: Mapping[str, Any]) -> Mapping[str, Any]:
        found: Mapping[str, Any] = schema["items"] if "items" in schema else schema["prefixItems"][0]
        return found

    @staticmethod
    def _optional(schema: Mapping[str, Any], name: str, field: Mapping[str, Any], *, null: bool) -> bool:
        return null or name not in schema.get("required", ())


class _Avro(_Language):
    def __init__(self, schema: Mapping[str, Any]) -> None:
        super().__init__(schema)
        self._named: set[str] = set()

    def record(self, schema: Mapping[str, Any]) -> dict[str, Any]:
        self._named.add(schema["title"])
        fields = []
        for name, field in schema["properties"].items():
            inner, null = self._without_null(field)
            kind = self._type(inner)
            one: dict[str, Any] = {"name": name, "type": kind}
            if self._optional(schema, name, field, null=null):
                one |= {"type": ["null", kind], "default": None}
            if "description" in field:
                one["doc"] = field["description"]
            fields.append(one)
        found = {"type": "record", "name": schema["title"], "namespace": PACKAGE, "fields": fields}
        return found | ({"doc": schema["description"]} if "description" in schema else {})

    def _type(self, schema: Mapping[str, Any]) -> Any:
        if "properties" in schema:
            return f"{PACKAGE}.{schema['title']}" if schema["title"] in self._named else self.record(schema)
        if schema["type"] == "object":
            return {"type": "map", "values": self._nullable(schema["additionalProperties"])}
        if schema["type"] == "array":
            return {"type": "array", "items": self._nullable(self._items(schema))}
        return _AVRO[schema["type"]]

    def _nullable(self, schema: Mapping[str, Any]) -> Any:
        inner, null = self._without_null(schema)
        return ["null", self._type(inner)] if null else self._type(inner)


class _Protobuf(_Language):
    def __init__(self, schema: Mapping[str, Any]) -> None:
        super().__init__(schema)
        self._schema = schema
        self._messages: dict[str, str] = {}
        self._of_lists: set[str] = set()  # fields that are maps of lists

    def fitted(self, record: Any) -> Any:
        """The same record with a message for every list in a map, and without nulls in lists."""
        if isinstance(record, list):
            return [self.fitted(one) for one in record if one is not None]
        if not isinstance(record, dict):
            return record
        return {
            name: {key: {"values": self.fitted(one)} for key, one in value.items()}
            if name in self._of_lists and isinstance(value, dict)
            else self.fitted(value)
            for name, value in record.items()
        }

    def file(self) -> str:
        first = self._schema["title"]
        self._message(self._schema)
        texts = [self._messages.pop(first), *self._messages.values()]
        return "\n".join(['syntax = "proto3";', f"package {PACKAGE};", "", *texts])

    def _message(self, schema: Mapping[str, Any]) -> str:
        title = str(schema["title"])
        if title not in self._messages:
            self._messages[title] = ""  # its place
            lines = []
            for number, (name, field) in enumerate(schema["properties"].items(), start=1):
                inner, null = self._without_null(field)
                kind = self._type(inner)
                if kind.startswith("map<string, repeated "):
                    self._of_lists.add(name)
                    self._messages["Values"] = "message Values {\n  repeated double values = 1;\n}\n"
                    kind = "map<string, Values>"
                plain = not kind.startswith(("map<", "repeated "))
                mark = "optional " if plain and self._optional(schema, name, field, null=null) else ""
                lines.append(f"  {mark}{kind} {name} = {number};")
            self._messages[title] = "\n".join([f"message {title} {{", *lines, "}", ""])
        return title

    def _type(self, schema: Mapping[str, Any]) -> str:
        if "properties" in schema:
            return self._message(schema)
        if schema["type"] == "object":
            return f"map<string, {self._type(self._without_null(schema['additionalProperties'])[0])}>"
        if schema["type"] == "array":
            inner = self._without_null(self._items(schema))[0]
            if inner["type"] == "array":
                raise NotImplementedError(f"a list of lists: {schema}")
            return f"repeated {self._type(inner)}"
        return _PROTOBUF[schema["type"]]
