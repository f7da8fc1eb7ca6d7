"""CloudWatch in the protocols that boto3 does not speak, and the errors of all of them."""

import json
import struct
from datetime import UTC, datetime, timedelta
from urllib.parse import urlencode
from xml.etree import ElementTree

import requests
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from harness.jobs import fresh_name

XMLNS = {"a": "http://monitoring.amazonaws.com/doc/2010-08-01/"}
TARGET = "GraniteServiceVersion20100801"


def around() -> dict:
    """A window that holds all that a test does."""
    now = datetime.now(UTC)
    return {"StartTime": now - timedelta(hours=1), "EndTime": now + timedelta(hours=1)}


def signed(server, path: str, body: bytes, headers: dict) -> requests.Response:
    """A signed request to CloudWatch, made by hand."""
    request = AWSRequest("POST", server.endpoint + path, data=body, headers=headers)
    SigV4Auth(Credentials(*server.credentials()), "monitoring", "us-east-1").add_auth(request)
    return requests.post(request.url, data=body, headers=dict(request.headers.items()), timeout=60)


def form(server, **parameters) -> requests.Response:
    """A request as older clients make it."""
    body = urlencode({"Version": "2010-08-01", **parameters}).encode()
    kind = {"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"}
    return signed(server, "/", body, kind)


def test_forms_are_answered_in_xml(server):
    space = fresh_name("Query")
    put = form(
        server,
        **{
            "Action": "PutMetricData",
            "Namespace": space,
            "MetricData.member.1.MetricName": "m",
            "MetricData.member.1.Value": "2.5",
            "MetricData.member.1.Dimensions.member.1.Name": "D",
            "MetricData.member.1.Dimensions.member.1.Value": "a&b",
        },
    )
    assert put.status_code == 200 and "PutMetricDataResponse" in put.text
    listed = form(server, Action="ListMetrics", Namespace=space)
    tree = ElementTree.fromstring(listed.text)
    values = [value.text for value in tree.findall(".//a:Metrics/a:member//a:Value", XMLNS)]
    assert values == ["a&b"]
    window = {name: moment.isoformat() for name, moment in around().items()}
    points = form(
        server,
        **{
            "Action": "GetMetricStatistics",
            "Namespace": space,
            "MetricName": "m",
            "Dimensions.member.1.Name": "D",
            "Dimensions.member.1.Value": "a&b",
            "Period": "60",
            "Statistics.member.1": "Sum",
            **window,
        },
    )
    tree = ElementTree.fromstring(points.text)
    (point,) = tree.findall(".//a:Datapoints/a:member", XMLNS)
    assert point.find("a:Sum", XMLNS).text == "2.5"
    assert point.find("a:Timestamp", XMLNS).text.endswith(":00Z")
    percentiles = form(
        server,
        **{
            "Action": "GetMetricStatistics",
            "Namespace": space,
            "MetricName": "m",
            "Dimensions.member.1.Name": "D",
            "Dimensions.member.1.Value": "a&b",
            "Period": "60",
            "ExtendedStatistics.member.1": "p99.9",
            **window,
        },
    )
    tree = ElementTree.fromstring(percentiles.text)
    (entry,) = tree.findall(".//a:ExtendedStatistics/a:entry", XMLNS)
    assert [part.text for part in entry] == ["p99.9", "2.5"]
    refused = form(server, Action="PutMetricData", Namespace=space)
    assert refused.status_code == 400 and "<Code>MissingParameter</Code>" in refused.text


# As short as it can be written.
TWO_AND_A_HALF = b"\xf9" + struct.pack(">e", 2.5)


def cbor(value) -> bytes:
    """CBOR of what requests are made of."""
    if isinstance(value, str):
        text = value.encode()
        return bytes([0x78, len(text)]) + text
    if isinstance(value, float):
        return b"\xfb" + struct.pack(">d", value)
    if isinstance(value, int):
        return b"\x1a" + struct.pack(">I", value)
    if isinstance(value, datetime):
        return b"\xc1" + cbor(value.timestamp())
    if isinstance(value, list):
        return bytes([0x80 + len(value)]) + b"".join(map(cbor, value))
    members = b"".join(cbor(name) + cbor(member) for name, member in value.items())
    return bytes([0xA0 + len(value)]) + members


def in_cbor(server, operation: str, **more) -> requests.Response:
    """A request as the newest clients make it."""
    kind = {"Content-Type": "application/cbor", "smithy-protocol": "rpc-v2-cbor"}
    path = f"/service/{TARGET}/operation/{operation}"
    return signed(server, path, cbor(more), kind)


def test_cbor_is_answered_in_cbor(server):
    space = fresh_name("Cbor")
    datum = {"MetricName": "m", "Value": 2.5, "StorageResolution": 1}
    put = in_cbor(server, "PutMetricData", Namespace=space, MetricData=[datum])
    assert put.status_code == 200, put.content
    assert put.headers["smithy-protocol"] == "rpc-v2-cbor"
    metric = {"Namespace": space, "MetricName": "m"}
    stat = {"Metric": metric, "Period": 60, "Stat": "Sum"}
    found = in_cbor(
        server,
        "GetMetricData",
        MetricDataQueries=[{"Id": "q", "MetricStat": stat}],
        **around(),
    )
    assert found.status_code == 200 and TWO_AND_A_HALF in found.content
    # A time carries its tag.
    assert b"Timestamps\x81\xc1\x1a" in found.content
    points = in_cbor(
        server,
        "GetMetricStatistics",
        **metric,
        **around(),
        Period=60,
        ExtendedStatistics=["p50"],
    )
    assert points.status_code == 200, points.content
    assert b"ExtendedStatistics\xa1\x63p50" + TWO_AND_A_HALF in points.content
    refused = in_cbor(server, "PutMetricData", Namespace=space)
    assert refused.status_code == 400
    assert b"MissingRequiredParameterException" in refused.content


def test_json_has_percentiles_by_their_names(server):
    space = fresh_name("Json")

    def call(operation: str, **more) -> dict:
        headers = {"X-Amz-Target": f"{TARGET}.{operation}"}
        headers["Content-Type"] = "application/x-amz-json-1.0"
        answer = signed(server, "/", json.dumps({"Namespace": space, **more}).encode(), headers)
        assert answer.status_code == 200, answer.text
        return answer.json() if answer.content else {}

    call("PutMetricData", MetricData=[{"MetricName": "m", "Values": [1, 2]}])
    window = {name: moment.timestamp() for name, moment in around().items()}
    asked = {"MetricName": "m", "Period": 60, "ExtendedStatistics": ["p50"]}
    (point,) = call("GetMetricStatistics", **asked, **window)["Datapoints"]
    assert point["ExtendedStatistics"] == {"p50": 1.5}


def test_errors_keep_their_old_names_for_those_who_ask(server):
    headers = {"X-Amz-Target": f"{TARGET}.PutMetricData", "x-amzn-query-mode": "true"}
    headers["Content-Type"] = "application/x-amz-json-1.0"
    refused = signed(server, "/", b'{"Namespace": "n"}', headers)
    assert refused.headers["x-amzn-query-error"] == "MissingParameter;Sender"
    assert refused.json()["__type"] == "MissingRequiredParameterException"
