"""Which services there are, and when their verbs are loaded: when the first request comes, or when there is time."""

import asyncio
import importlib
import pkgutil
from collections.abc import Iterator
from functools import partial
from types import ModuleType

import atoll.cloudwatch
import atoll.ec2
import atoll.elasticache
import atoll.elbv2
import atoll.logs
import atoll.servicequotas
import atoll.ssm
import atoll.sts
from atoll.aws.models import BY_SIGNING_NAME
from atoll.aws.operation import LOADERS

REST_SECONDS = 0.2  # the first requests after a start come at once, and load what they need
# What `atoll down` and the other commands need: loaded before the package is replaced under a daemon that runs.
PRIVATE = ("atoll.admin.routes", "atoll.recipe.cli", "atoll.control.flow_logs", "atoll.control.flow_files")
SERVICES = (
    atoll.cloudwatch,
    atoll.ec2,
    atoll.elasticache,
    atoll.elbv2,
    atoll.logs,
    atoll.servicequotas,
    atoll.ssm,
    atoll.sts,
)


def load(service: ModuleType) -> None:
    """Import every module of a service's verbs: that registers them."""
    for module in _modules(service):
        importlib.import_module(module)


def offer_services() -> None:
    """Load each service when its first request comes; `load_rest` does it when there is time."""
    for service in SERVICES:
        LOADERS[_name(service)] = partial(load, service)


async def load_rest() -> None:
    """Load what no request has asked for yet, a module at a time: requests go first."""
    for service in reversed(SERVICES):
        await asyncio.sleep(REST_SECONDS)
        for module in _modules(service) if _name(service) in LOADERS else ():
            importlib.import_module(module)
            await asyncio.sleep(0)
        LOADERS.pop(_name(service), None)  # now, for a request that comes meanwhile may ask for the rest
    for module in PRIVATE:
        await asyncio.sleep(REST_SECONDS)
        importlib.import_module(module)


def _name(service: ModuleType) -> str:
    package = service.__name__.rpartition(".")[2]
    return BY_SIGNING_NAME.get(package, package)


def _modules(service: ModuleType) -> Iterator[str]:
    return (module.name for module in pkgutil.iter_modules(service.__path__, f"{service.__name__}."))
