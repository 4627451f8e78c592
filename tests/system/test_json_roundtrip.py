"""Generated OTLP/JSON through the program: what arrives, in protobuf and in JSON, is what google.protobuf reads in
it. Messages come out of the descriptors, so that no field is forgotten; each is written in the spellings that a
Collector takes."""
import base64
import http.client
import json
import math
import random

import pytest
from google.protobuf.descriptor import FieldDescriptor as Field

import signals
from sut import otlp
from sut.backends import HttpBackend

REQUESTS = 40
TEXTS = ("", "a", "key", "a\"b\\c/\n\t\x01\x7f", "é€\u2028", "\U0001f600", "nul\0inside", "x" * 300)
DOUBLES = (0.0, 1.0, -1.5, 0.1, 1e-7, 1e21, 1.7976931348623157e308, 5e-324, math.inf, -math.inf, math.nan)
LIMITS = {Field.CPPTYPE_INT32: (-2**31, 2**31 - 1), Field.CPPTYPE_UINT32: (0, 2**32 - 1),
          Field.CPPTYPE_INT64: (-2**63, 2**63 - 1), Field.CPPTYPE_UINT64: (0, 2**64 - 1)}
ID_SIZES = {"trace_id": 16, "span_id": 8, "parent_span_id": 8}
# Messages that the Collector writes also where they are absent; an empty one says no more than none.
MANDATORY = {"resource", "scope", "status", "value", "body", "positive", "negative"}
DEPTH_MAX = 14


def repeated(field):
    return field.is_repeated


def scalar(rand, field):
    if field.type == Field.TYPE_BYTES:
        size = ID_SIZES.get(field.name)
        return rand.randbytes(rand.choice((0, size)) if size else rand.randrange(9))
    if field.cpp_type == Field.CPPTYPE_ENUM:
        return rand.choice(field.enum_type.values).number
    if field.cpp_type in LIMITS:
        low, high = LIMITS[field.cpp_type]
        return rand.choice((low, high, 0, 1, rand.randint(low, high)))
    if field.cpp_type == Field.CPPTYPE_BOOL:
        return rand.random() < 0.5
    if field.cpp_type == Field.CPPTYPE_DOUBLE:
        return rand.choice(DOUBLES + (rand.uniform(-1e6, 1e6),))
    return rand.choice(TEXTS)


def fill(rand, message, depth=0):
    """Random content: of a oneof at most one member, of the rest most."""
    taken = {oneof.name: rand.choice(oneof.fields).name for oneof in message.DESCRIPTOR.oneofs
             if len(oneof.fields) > 1}
    for field in message.DESCRIPTOR.fields:
        oneof = field.containing_oneof
        chosen = taken.get(oneof.name, field.name) == field.name if oneof else True
        # The envelopes are always there, or most requests would be empty ones.
        if not chosen or (depth > 2 and rand.random() < 0.3):
            continue
        if field.message_type:
            # So that values within values come to an end.
            few = depth > 7 or field.message_type.name == "AnyValue"
            for _ in range(rand.randrange(1, 2 if few else 3) if repeated(field) else 1):
                inner = getattr(message, field.name)
                inner = inner.add() if repeated(field) else inner
                inner.SetInParent()
                if depth < DEPTH_MAX:
                    fill(rand, inner, depth + 1)
        elif repeated(field):
            getattr(message, field.name).extend(scalar(rand, field) for _ in range(rand.randrange(4)))
        else:
            setattr(message, field.name, scalar(rand, field))
    return message


# ---- as a sender may write it ----


def spelled_scalar(rand, field, value):
    if field.type == Field.TYPE_BYTES:
        if field.name in ID_SIZES:
            return rand.choice((str, str.upper))(value.hex())
        return base64.b64encode(value).decode()
    if field.cpp_type == Field.CPPTYPE_ENUM:
        return rand.choice((value, field.enum_type.values_by_number[value].name))
    if field.cpp_type in LIMITS:
        return rand.choice((value, str(value)))
    if field.cpp_type == Field.CPPTYPE_DOUBLE:
        if math.isnan(value):
            return "NaN"
        if math.isinf(value):
            return "Infinity" if value > 0 else "-Infinity"
        return rand.choice((value, repr(value)))
    return value


def spelled(rand, message):
    """A tree of the message: either name of a field, members in any order, some that nobody knows."""
    members = []
    for field, value in message.ListFields():
        one = spelled if field.message_type else lambda r, v, f=field: spelled_scalar(r, f, v)
        value = [one(rand, v) for v in value] if repeated(field) else one(rand, value)
        members.append((rand.choice((field.name, field.json_name)), value))
    if rand.random() < 0.1:
        members.append(("unknownMember", rand.choice((None, 1, "x", [1, {"a": []}], {"b": {"c": True}}))))
    rand.shuffle(members)
    return dict(members)


def as_json(rand, message):
    return json.dumps(spelled(rand, message), ensure_ascii=rand.random() < 0.5,
                      indent=rand.choice((None, 2)), allow_nan=False).encode()


# ---- as it is compared ----


def plain(value):
    """Without messages that are empty and mandatory in a Collector, and without IDs of zeros."""
    if isinstance(value, list):
        return [plain(v) for v in value]
    if not isinstance(value, dict):
        return value
    inner = {key: plain(v) for key, v in value.items()}
    return {key: v for key, v in inner.items()
            if not (key in MANDATORY and v == {}) and not (key in otlp.IDS and not v.strip("0"))}


def reading(message):
    """google.protobuf's own JSON of a message."""
    return plain(otlp.to_json(message))


def check_generator(signal, message, text):
    """What google reads in our text (with its spelling of IDs) is the message."""
    tree = _without_unknown(json.loads(text))
    assert reading(otlp.from_json(tree, otlp.REQUESTS[signal])) == reading(message)


def _without_unknown(tree):
    if isinstance(tree, list):
        return [_without_unknown(v) for v in tree]
    if not isinstance(tree, dict):
        return tree
    tree = {key: _without_unknown(v) for key, v in tree.items() if key != "unknownMember"}
    # Hex is found by the names in camelCase.
    return {{"trace_id": "traceId", "span_id": "spanId", "parent_span_id": "parentSpanId"}.get(k, k): v
            for k, v in tree.items()}


def post(address, signal, body):
    connection = http.client.HTTPConnection(address, timeout=20)
    try:
        connection.request("POST", f"/v1/{signal}", body, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


@pytest.mark.parametrize("signal", signals.SIGNALS)
def test_generated_json_arrives_as_google_reads_it(start, appliance, signal):
    backends = {"proto": start.backend(HttpBackend), "json": start.backend(HttpBackend)}
    # Without queues: what was answered has arrived, in the order in which it was sent.
    front = start.simple({f"otlp_http/{encoding}": {
        "endpoint": f"http://{backend.address}", "encoding": encoding, "compression": "none",
        "sending_queue": {"enabled": False}, "retry_on_failure": {"enabled": False}}
        for encoding, backend in backends.items()}, environment=appliance, pipelines=signals.SIGNALS)
    rand = random.Random(f"{signal} 1")
    compared = 0
    for number in range(REQUESTS):
        message = fill(rand, otlp.REQUESTS[signal]())
        text = as_json(rand, message)
        check_generator(signal, message, text)
        status, answer = post(front.http, signal, text)
        assert status == 200, (number, answer)
        if otlp.count(message) == 0:
            continue
        for encoding, backend in backends.items():
            (arrival,) = backend.take()
            assert reading(arrival.message()) == reading(message), (number, encoding)
            compared += 1
    assert compared > REQUESTS                               # of twice as many; others had no items


@pytest.mark.parametrize("signal", signals.SIGNALS)
def test_json_that_google_writes_comes_back_as_it_was(start, signal):
    """The spelling of the specification, as json_format has it but for IDs, byte for byte in its members."""
    backend = start.backend(HttpBackend)
    front = start.simple({"otlp_http": {
        "endpoint": f"http://{backend.address}", "encoding": "json", "compression": "none",
        "sending_queue": {"enabled": False}, "retry_on_failure": {"enabled": False}}}, pipelines=signals.SIGNALS)
    rand = random.Random(f"{signal} 2")
    for number in range(REQUESTS // 2):
        message = fill(rand, otlp.REQUESTS[signal]())
        tree = otlp.to_json(message)
        assert post(front.http, signal, json.dumps(tree).encode())[0] == 200
        if otlp.count(message) > 0:
            (arrival,) = backend.take()
            assert plain(json.loads(arrival.body)) == plain(tree), number
