"""The service models that botocore ships, read straight from its data files: small, lazy, and without botocore.

A file is unpacked and cut into its shapes in one pass (EC2: 15 ms, 6 MB); a shape is decoded when it is first needed.
Importing `botocore.model` instead would cost 85 ms and 14 MB before the first request.  What a shape means on the
wire is said in `parse.py` and `serialize.py`; tests hold both to botocore's own serializers and parsers.
"""

import functools
import importlib.util
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec

# botocore's name -> the name in the credential scope.
SIGNING_NAMES: Mapping[str, str] = {
    "ec2": "ec2",
    "elasticache": "elasticache",
    "elbv2": "elasticloadbalancing",
    "sts": "sts",
    "service-quotas": "servicequotas",
    "cloudwatch": "monitoring",
    "logs": "logs",
    "ssm": "ssm",
}
BY_SIGNING_NAME = {signing: name for name, signing in SIGNING_NAMES.items()}
BY_VERSION: Mapping[str, str] = {
    "2016-11-15": "ec2",
    "2015-02-02": "elasticache",
    "2014-09-30": "elasticache",
    "2015-12-01": "elbv2",
    "2011-06-15": "sts",
    "2010-08-01": "cloudwatch",
}
CLASSIC_BALANCERS = "2012-06-01"  # another service under the signing name of elbv2
PROTOCOLS = ("ec2", "query", "json")
JSON = ("service-quotas", "cloudwatch", "logs", "ssm")  # the services that speak it
QUERY_TOO = ("cloudwatch",)  # those of them that older SDKs speak the query protocol with


class Ref(msgspec.Struct, frozen=True, rename="camel"):
    """A mention of a shape by a structure, a list or an operation."""

    shape: str
    location_name: str | None = None
    query_name: str | None = None
    result_wrapper: str | None = None


class Shape(msgspec.Struct, frozen=True, rename="camel"):
    """A type of the model.  Documentation and limits are skipped: the verbs know those better."""

    type: str
    members: dict[str, Ref] = {}
    required: tuple[str, ...] = ()
    member: Ref | None = None
    key: Ref | None = None
    value: Ref | None = None
    enum: tuple[str, ...] = ()
    location_name: str | None = None


class Action(msgspec.Struct, frozen=True, rename="camel"):
    """An operation of the model; it may lack an input or an output."""

    name: str
    input: Ref | None = None
    output: Ref | None = None


class _File(msgspec.Struct):
    metadata: dict[str, Any]
    operations: dict[str, msgspec.Raw]
    shapes: dict[str, msgspec.Raw]


class Model:
    """One service as botocore describes it."""

    def __init__(self, name: str, document: bytes) -> None:
        """Cut the JSON document of a service into shapes, without decoding them."""
        self._file = msgspec.json.decode(document, type=_File)
        metadata = self._file.metadata
        offered = metadata.get("protocols") or [metadata["protocol"]]
        self.name = name
        self.version: str = metadata["apiVersion"]
        self.protocol: str = next(protocol for protocol in offered if protocol in PROTOCOLS)
        # EC2 answers with a slash at the end that its model lacks.
        self.namespace: str = metadata.get("xmlNamespace", "").rstrip("/") + "/"

    def __iter__(self) -> Iterator[str]:
        """Yield the names of the operations."""
        return iter(self._file.operations)

    def __contains__(self, action: str) -> bool:
        """Tell whether the service has this operation."""
        return action in self._file.operations

    def action(self, name: str) -> Action:
        """Return an operation; raises KeyError."""
        return msgspec.json.decode(self._file.operations[name], type=Action)

    def shape(self, ref: Ref) -> Shape:
        """Return the shape that is mentioned."""
        return msgspec.json.decode(self._file.shapes[ref.shape], type=Shape)

    def name_of(self, ref: Ref) -> str | None:
        """Return the name on the wire that the model gives to what is mentioned, if it gives one."""
        return ref.location_name or self.shape(ref).location_name

    def input(self, action: str) -> Shape:
        """Return the structure that an operation takes; an empty one if it takes nothing."""
        ref = self.action(action).input
        return self.shape(ref) if ref else Shape(type="structure")


@functools.cache
def service(name: str) -> Model:
    """Return the newest model of a service, by botocore's name.  Costs 15 ms for EC2, the first time."""
    versions = sorted(path for path in (_models() / name).iterdir() if path.is_dir())
    return Model(name, _read(versions[-1]))


def protocol(name: str) -> str:
    """Return how a service speaks: "ec2", "query" or "json"."""
    return "ec2" if name == "ec2" else "json" if name in JSON else "query"


def _models() -> Path:
    """Find botocore's data without importing botocore."""
    spec = importlib.util.find_spec("botocore")
    assert spec is not None, "botocore is a dependency of this package"
    assert spec.submodule_search_locations, "botocore is a package"
    return Path(spec.submodule_search_locations[0]) / "data"


def _read(version: Path) -> bytes:
    """Read a service's document; some distributions ship it unpacked."""
    packed = version / "service-2.json.gz"
    if packed.exists():
        return zlib.decompress(packed.read_bytes(), wbits=31)  # 31: with a gzip header
    return (version / "service-2.json").read_bytes()
