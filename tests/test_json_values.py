"""What JSON from a file may hold, in size, depth and kind, up to each limit and one beyond."""

import json
import os
from pathlib import Path

import numpy as np
import pytest

from skposter._files.json_values import MAX_BYTES, as_json, as_python, brief, expect, one_line
from skposter._files.json_values import parse_json as parse
from skposter.exceptions import ArtifactError


def refused(data, message, **limits):
    with pytest.raises(ArtifactError, match=rf"^file: {message}"):
        parse(data, "file", **limits)


def nested(depth, start="[", end="]"):
    return b'{"a": ' + (start * depth).encode() + (end * depth).encode() + b"}"


def test_a_file_may_have_so_many_bytes():
    whole = b'{"a": "' + b"x" * (MAX_BYTES - 9) + b'"}'
    assert len(parse(whole, "file")["a"]) == MAX_BYTES - 9
    refused(whole + b" ", f"{MAX_BYTES + 1} bytes, and {MAX_BYTES} are the most")


@pytest.mark.parametrize("data", [b'{"a": [1, 2, 3]}', b'{"a": {"b": 1}, "c": [2]}'])
def test_a_file_may_have_so_many_values(data):
    assert parse(data, "file", max_values=4)
    refused(data, "4 values, and 3 are the most", max_values=3)


def test_a_million_values_are_taken():
    data = b'{"a": [' + b"0," * 999_997 + b"0]}"
    assert len(parse(data, "file")["a"]) == 999_998
    refused(data.replace(b"]", b",0,0]"), "1000001 values, and 1000000 are the most")


def test_values_may_be_nested_so_deep():
    assert parse(nested(59), "file")
    refused(nested(60), "nested more than 60 deep")
    deep = b'{"a":' * 60 + b"1" + b"}" * 60
    assert parse(deep, "file")
    refused(b'{"a":' + deep + b"}", "nested more than 60 deep")


@pytest.mark.parametrize("number", [2**63 - 1, 1 - 2**63, 0, 0.5, -1e308, 1e-320])
def test_numbers_that_fit_are_taken(number):
    assert parse(json.dumps({"a": number}).encode(), "file") == {"a": number}


@pytest.mark.parametrize(
    ("number", "shown"),
    [
        (str(2**63), "9223372036854775808"),
        (str(-(2**63)), "-9223372036854775808"),
        ("9" * 20, "9" * 20),
        ("9" * 40, "9" * 30),
        ("1e309", "1e309"),
        ("-1e309", "-1e309"),
        ("NaN", "NaN"),
        ("Infinity", "Infinity"),
        ("-Infinity", "-Infinity"),
    ],
)
def test_numbers_that_do_not_fit_are_named(number, shown):
    refused(f'{{"a": {number}}}'.encode(), f"{shown} is not a number that can be used.$")


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"[]", "expected a JSON object, got list"),
        (b"1", "expected a JSON object, got int"),
        (b"null", "expected a JSON object, got NoneType"),
        (b'"a"', "expected a JSON object, got str"),
        (b"", r"not JSON \(Expecting value"),
        (b"{", r"not JSON \(Expecting property name"),
        (b'{"a": "\xff"}', r"not JSON \('utf-8' codec"),
        (b'{"a": "\\ud800"}', r"not JSON \('utf-8' codec"),
        (b'{"a": "\\uDFFF"}', r"not JSON \('utf-8' codec"),
        (b'{"a": 1, "a": 1}', "a name is there twice"),
        (b'{"b": {"a": 1, "a": 2}}', "a name is there twice"),
    ],
)
def test_what_is_no_object_is_refused(data, message):
    refused(data, message)


def test_whole_pairs_are_characters():
    assert parse(rb'{"a": "\ud83d\ude00"}', "file") == {"a": "\U0001f600"}
    assert parse(rb'{"a": "\\ud83d"}', "file") == {"a": r"\ud83d"}


def test_values_go_round_as_json():
    deep = {"a": [{"b": [{"c": [1]}]}]}
    for value, back in [
        (Path("a") / "b", os.path.join("a", "b")),
        ({0: [1, (2, 3)], -5: None}, {0: (1, (2, 3)), -5: None}),
        ({"__items__": 1, "b": 2}, {"__items__": 1, "b": 2}),
        ({0: 1, "0": 2}, {0: 1, "0": 2}),
        (np.array([[1, 2]], np.uint8), ((1, 2),)),
        (np.bool_(True), True),
        (np.str_("a"), "a"),
        (2**63 - 1, 2**63 - 1),
        (deep, {"a": ({"b": ({"c": (1,)},)},)}),
    ]:
        written = json.loads(json.dumps(as_json(value, "x")))
        assert as_python(written, "x") == back
    for value, message in [
        (2**63, "x is 9223372036854775808 .int"),
        (float("inf"), "x is inf"),
        ([1, float("nan")], r"x\[1\] is nan"),
        ({0.5: 1}, "x is {0.5: 1}"),
        ({(1,): 1}, "mappings of texts or whole numbers only"),
        ({True: 1}, "x is {True: 1}"),
        ({"a": object()}, r"x\['a'\] is <object"),
        ("\ud800", "UTF-8 cannot hold"),
        ({"a": [{"b": [{"c": [[1]]}]}]}, "nested more than 6 deep"),
    ]:
        with pytest.raises(ArtifactError, match=message):
            as_json(value, "x")
    for value, message in [
        ("x" * 10_001, "a text of 10001 characters"),
        ({"x" * 10_001: 1}, "a text of 10001 characters"),
        (json.loads("[" * 8 + "]" * 8), "nested more than 6 deep"),
    ]:
        with pytest.raises(ArtifactError, match=message):
            as_python(value, "x")


def test_parameters_may_be_nested_so_deep():
    value: list = []
    for _ in range(6):
        value = [value]
    assert as_json(value, "x") == value
    with pytest.raises(
        ArtifactError, match=r"^x\[0\]\[0\]\[0\]\[0\]\[0\]\[0\]\[0\] is nested more"
    ):
        as_json([value], "x")
    with pytest.raises(ArtifactError, match=r"^x\[0\].*: nested more than 6 deep"):
        as_python([value], "x")


@pytest.mark.parametrize("name", ["a", 0])
def test_mappings_may_be_nested_as_deep(name):
    value: dict = {}
    for _ in range(6):
        value = {name: value}
    assert as_python(as_json(value, "x"), "x") == value
    with pytest.raises(ArtifactError, match="is nested more than 6 deep"):
        as_json({name: value}, "x")
    written = as_json(value, "x")
    one_more = {"a": written} if name == "a" else {"__items__": [[0, written]]}
    with pytest.raises(ArtifactError, match="nested more than 6 deep"):
        as_python(one_more, "x")


def test_texts_of_parameters_may_be_so_long():
    assert as_python("x" * 10_000, "p") == "x" * 10_000
    with pytest.raises(ArtifactError, match=r"^p: a text of 10001 characters"):
        as_python("x" * 10_001, "p")


@pytest.mark.parametrize(
    ("value", "place"),
    [
        ({"a": [1, {"b": "x" * 10_001}]}, "p['a'][1]['b']"),
        ({"__items__": [[3, 1], [0, ["x", "x" * 10_001]]]}, "p[0][1]"),
        ({"__items__": [["a", {"__items__": [[0, "x" * 10_001]]}]]}, "p['a'][0]"),
    ],
)
def test_the_place_of_what_is_refused_is_said(value, place):
    with pytest.raises(ArtifactError) as caught:
        as_python(value, "p")
    assert str(caught.value) == f"{place}: a text of 10001 characters."


@pytest.mark.parametrize(
    ("pairs", "message"),
    [
        ([[1, 2, 3]], r"p: \[1, 2, 3\] is not a name, or a number, and a value"),
        ([[1]], r"p: \[1\] is not a name"),
        ([[True, 1]], r"p: \[True, 1\] is not a name"),
        ([{"a": 1, "b": 2}], "p: .*'a': 1.* is not a name"),
        ({"a": 1}, "p: None is not a name"),
        ([["a", 1], ["b", 1], ["a", 1]], "p: 'a' is there twice"),
    ],
)
def test_pairs_that_are_none_are_refused(pairs, message):
    with pytest.raises(ArtifactError, match=f"^{message}"):
        as_python({"__items__": pairs}, "p")


def test_pairs_become_a_mapping_in_their_order():
    found = as_python({"__items__": [["b", [1]], [0, {"a": [2]}]]}, "p")
    assert list(found.items()) == [("b", (1,)), (0, {"a": (2,)})]
    beside = {"__items__": 1, "other": 2}
    assert as_python(beside, "p") == beside


def test_an_object_has_exactly_the_names_and_types_expected():
    assert expect({"b": 1, "a": "x"}, "w", a=str, b=(int, float)) == ["x", 1]
    for node, message in [
        ([], "w: expected an object, got list"),
        ({"a": "x"}, r"w: has \['a'\], expected \['a', 'b'\]"),
        ({"a": "x", "b": 1, "c": 1}, r"w: has \['a', 'b', 'c'\], expected"),
        ({"a": 1, "b": 1}, "w: a is of type int, expected str"),
        ({"a": "x", "b": True}, "w: b is of type bool, expected int or float"),
    ]:
        with pytest.raises(ArtifactError, match=f"^{message}"):
            expect(node, "w", a=str, b=(int, float))


def test_what_errors_quote_is_short_and_can_be_printed():
    assert one_line("a\n  b\tc ") == "a b c"
    assert one_line("\x1b[31m\u202e") == r"\x1b[31m\u202e"
    assert one_line("x" * 500) == "x" * 500
    assert one_line("x" * 501) == "x" * 500 + "..."
    assert brief("x" * 198) == repr("x" * 198)
    assert len(brief("x" * 1_000_000)) == 200
    assert brief(list(range(10))) == str(list(range(10)))
    assert brief(list(range(11))) == str(list(range(10)))[:-1] + ", ...]"
    assert brief([[[[]]]]) == "[[[[]]]]"
    assert brief([[[[1]]]]) == "[[[[...]]]]"
    assert len(brief(10**1000)) == 200
