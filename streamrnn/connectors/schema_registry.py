"""Messages framed for a schema registry: a zero, the schema's id, then Avro, Protobuf or JSON.

Needs the extra `registry`. A schema has its id for ever, so what a message says does not depend on when it is read; a
registry that does not answer stops the worker, for what cannot be read now could be read later.
"""

from __future__ import annotations

import importlib.resources
import io
import json
import struct
import tempfile
import weakref
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import orjson

from streamrnn.config.tree import Config, SchemaRegistryConfig
from streamrnn.errors import AuthenticationRefused, ConfigurationError, ConnectorError, EventInvalid
from streamrnn.records.schema_languages import avro, protobuf
from streamrnn.records.schemas import answer_schema, schemas

_FRAME = struct.Struct(">bI")
_FORMATS = {"AVRO": "avro", "PROTOBUF": "protobuf", "JSON": "json-schema"}


class RegistryUnavailable(ConnectorError):
    """The schema registry does not answer, or not as one."""


def reader_of(config: Config) -> Callable[[bytes], Any] | None:
    """What reads the messages of `event.format`; None for plain JSON."""
    if config.event.format == "json":
        return None
    return SchemaRegistry(config.schema_registry).reader(config.event.format)


def framer_of(config: Config) -> Callable[[str, bytes], bytes] | None:
    """What frames the value of an output record, given its topic; None where nothing is framed.

    The schemas of forecasts (or predictions) and alerts are registered first, under the topics' usual subjects.
    """
    if config.output.format == "json":
        return None
    registry = SchemaRegistry(config.schema_registry)
    texts = {config.kafka.output_topic: answer_schema(config)}
    if config.kafka.alerts_topic is not None:
        texts[config.kafka.alerts_topic] = schemas()["alert"](config)
    framers = {topic: registry.framer(f"{topic}-value", text, config.output.format) for topic, text in texts.items()}
    return lambda topic, value: framers[topic](value) if topic in framers else value


class SchemaRegistry:
    """Schemas by their id, and ids of schemas."""

    def __init__(self, config: SchemaRegistryConfig) -> None:
        try:
            from confluent_kafka.schema_registry import SchemaRegistryClient
        except ImportError as error:
            raise ConfigurationError(
                f"event.format and output.format need the extra for schema registries: pip install "
                f"'streamrnn[registry]' ({error})"
            ) from None
        if config.url is None:
            raise ConfigurationError("schema_registry.url: needed by event.format or output.format")
        self._config = config
        settings: dict[str, Any] = {"url": config.url, "timeout": config.timeout}
        if config.username is not None:
            secret = config.secret() or ""
            settings["basic.auth.user.info"] = f"{config.username}:{secret}"
        for name, path in (
            ("ca", config.ssl_cafile),
            ("certificate", config.ssl_certfile),
            ("key", config.ssl_keyfile),
        ):
            if path is not None:
                settings[f"ssl.{name}.location"] = str(path)
        self._client: Any = SchemaRegistryClient(settings)
        weakref.finalize(self, self._client._rest_client.session.close)
        self._readers: dict[int, tuple[str, Callable[[bytes], Any]]] = {}

    def reader(self, form: str) -> Callable[[bytes], Any]:
        """What turns a framed message of `event.format` into an object."""

        def read(value: bytes) -> Any:
            if len(value) < _FRAME.size or value[0] != 0:
                raise EventInvalid("not framed for a schema registry: the message does not begin with magic byte 0")
            _, number = _FRAME.unpack_from(value)
            if number not in self._readers:
                self._readers[number] = self._made(number)
            found, decode = self._readers[number]
            if found != form:
                raise EventInvalid(f"schema {number} is {found}, and event.format is {form}")
            try:
                return decode(value[_FRAME.size :])
            except EventInvalid:
                raise
            except Exception as error:  # whatever the codec raises for bytes that are not of its schema
                raise EventInvalid(f"not what schema {number} says: {type(error).__name__}: {error}") from None

        return read

    def framer(self, subject: str, text: str, form: str) -> Callable[[bytes], bytes]:
        """What encodes a JSON message as `output.format` says and frames it; `text` is its JSON Schema.

        The schema is registered under `subject` first.
        """
        if form == "json-schema":
            frame = _FRAME.pack(0, self.register(subject, text, "JSON"))
            return lambda value: frame + value
        if form == "avro":
            return self._avro_framer(subject, avro(json.loads(text)))
        return self._protobuf_framer(subject, text)

    def _avro_framer(self, subject: str, schema: dict[str, Any]) -> Callable[[bytes], bytes]:
        import fastavro

        frame = _FRAME.pack(0, self.register(subject, json.dumps(schema), "AVRO"))
        parsed = fastavro.parse_schema(schema)

        def framed(value: bytes) -> bytes:
            out = io.BytesIO()
            out.write(frame)
            fastavro.schemaless_writer(out, parsed, orjson.loads(value))
            return out.getvalue()

        return framed

    def _protobuf_framer(self, subject: str, text: str) -> Callable[[bytes], bytes]:
        from google.protobuf.json_format import ParseDict

        schema, fitted = protobuf(json.loads(text))
        file, message_class = compiled(schema, [])
        first = next(iter(file.message_types_by_name.values()))
        make = message_class(first)
        # The message's place in the file: the first, written as a zero alone.
        frame = _FRAME.pack(0, self.register(subject, schema, "PROTOBUF")) + b"\0"

        def framed(value: bytes) -> bytes:
            # Maps have no order of their own, and the same record must be the same bytes.
            message = ParseDict(fitted(orjson.loads(value)), make())
            return frame + bytes(message.SerializeToString(deterministic=True))

        return framed

    def register(self, subject: str, schema: str, kind: str) -> int:
        """The id of `schema` under `subject`; registered where it is new and compatible."""
        from confluent_kafka.schema_registry import Schema

        return int(self._asked(lambda: self._client.register_schema(subject, Schema(schema, kind)), subject))

    def _asked(self, question: Callable[[], Any], about: str) -> Any:
        from confluent_kafka.schema_registry.error import SchemaRegistryError

        url = self._config.url
        try:
            return question()
        except SchemaRegistryError as error:
            what = " ".join(str(error).split())
            if error.http_status_code in (401, 403):
                raise AuthenticationRefused(
                    f"{url} (schema_registry.url) refuses the user or the password (schema_registry.username): {what}"
                ) from error
            if error.http_status_code == 404:
                raise EventInvalid(f"{url} (schema_registry.url) knows no {about}") from error
            if error.http_status_code in (409, 422):
                raise ConfigurationError(
                    f"{url} (schema_registry.url) refuses the schema of {about}: {what}; it is not compatible with the "
                    "registered one: write to another topic, or change the subject's compatibility"
                ) from error
            raise RegistryUnavailable(f"{url} (schema_registry.url) fails: {what}") from error
        except Exception as error:  # the client passes on whatever its HTTP library raises
            what = " ".join(str(error).split())
            raise RegistryUnavailable(f"{url} (schema_registry.url) does not answer: {what}") from error

    def _made(self, number: int) -> tuple[str, Callable[[bytes], Any]]:
        schema = self._asked(lambda: self._client.get_schema(number), f"schema {number}")
        form = _FORMATS.get(schema.schema_type, schema.schema_type)
        make = {"avro": self._avro, "protobuf": self._protobuf, "json-schema": self._json}.get(form)
        if make is None:
            raise EventInvalid(f"schema {number} is of type {form}, which is not known here")
        return form, make(schema)

    def _referenced(self, schema: Any) -> list[tuple[str, Any]]:
        """(name, schema) of all that `schema` refers to, what is needed first first."""
        found: list[tuple[str, Any]] = []
        for one in schema.references or ():
            ask = partial(self._client.get_version, one.subject, one.version)
            version = self._asked(ask, f"subject {one.subject}")
            found += [*self._referenced(version.schema), (one.name, version.schema)]
        return found

    def _avro(self, schema: Any) -> Callable[[bytes], Any]:
        import fastavro

        named: dict[str, Any] = {}
        for _, other in self._referenced(schema):
            fastavro.parse_schema(json.loads(other.schema_str), named)
        parsed = fastavro.parse_schema(json.loads(schema.schema_str), named)
        return lambda value: fastavro.schemaless_reader(io.BytesIO(value), parsed, None)

    def _json(self, _: Any) -> Callable[[bytes], Any]:
        return json.loads

    def _protobuf(self, schema: Any) -> Callable[[bytes], Any]:
        from google.protobuf.json_format import MessageToDict

        file, message_class = compiled(schema.schema_str, self._referenced(schema))

        def decode(value: bytes) -> Any:
            path, at = _indexes(value)
            descriptor = list(file.message_types_by_name.values())[path[0]]
            for index in path[1:]:
                descriptor = descriptor.nested_types[index]
            message = message_class(descriptor)()
            message.ParseFromString(value[at:])
            return MessageToDict(message, preserving_proto_field_name=True, always_print_fields_with_no_presence=True)

        return decode


def compiled(text: str, others: list[tuple[str, Any]]) -> tuple[Any, Callable[[Any], Any]]:
    """The file descriptor of a .proto text, and what makes a class of one of its messages."""
    from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
    from grpc_tools import protoc

    with tempfile.TemporaryDirectory(prefix="streamrnn-proto-") as folder:
        for name, other in others:
            path = Path(folder, name)
            if not path.resolve().is_relative_to(Path(folder).resolve()):
                raise EventInvalid(f"the schema refers to {name!r}, which is no name of a file")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(other.schema_str)
        Path(folder, "message.proto").write_text(text)
        known = importlib.resources.files("grpc_tools") / "_proto"
        words = [f"-I{folder}", f"-I{known}", "--include_imports", f"--descriptor_set_out={folder}/set"]
        if protoc.main(["protoc", *words, "message.proto"]) != 0:
            raise EventInvalid("the Protobuf schema in the registry cannot be compiled")
        files = descriptor_pb2.FileDescriptorSet.FromString(Path(folder, "set").read_bytes())
    pool = descriptor_pool.DescriptorPool()
    for file in files.file:
        pool.Add(file) if hasattr(pool, "Add") else pool.AddSerializedFile(file.SerializeToString())
    return pool.FindFileByName("message.proto"), message_factory.GetMessageClass


def _indexes(value: bytes) -> tuple[list[int], int]:
    """Which message of the file it is, as the path of its indexes (zigzag varints; a zero alone is the first)."""
    count, at = _varint(value, 0)
    if count == 0:
        return [0], at
    path = []
    for _ in range(count):
        index, at = _varint(value, at)
        path.append(index)
    return path, at


def _varint(value: bytes, at: int) -> tuple[int, int]:
    number = shift = 0
    while True:
        byte = value[at]
        number |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if not byte & 0x80:
            return (number >> 1) ^ -(number & 1), at
