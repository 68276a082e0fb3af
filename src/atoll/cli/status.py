"""`atoll status`: what there is and whether it is well."""

from typing import Any

from atoll.cli import chaos, private, show


def status(*, as_json: bool) -> None:
    """Print what runs: tables for people, the daemon's own answer for programs."""
    seen: dict[str, Any] = private.get("/_atoll/status", **private.whose())
    if as_json:
        show.as_json(seen)
        return
    where = f"Atoll at {private.endpoint()}, mode {seen['mode']}, process {seen['pid']}, state in {seen['state_dir']}"
    show.line(where)
    if seen["because"]:
        show.line(seen["because"], "yellow")
    show.line()
    show.table("VPCs", ("id", "name", "cidr", "default"), [_vpc(v) for v in seen["vpcs"]])
    columns = ("id", "name", "state", "private", "public", "subnet", "host", "trouble")
    show.table("Instances", columns, [_instance(i) for i in seen["instances"]])
    node_columns = ("name", "engine", "version", "node", "status", "address", "role", "host", "trouble")
    show.table("Caches", node_columns, [_node(c, n) for c in seen["caches"] for n in c["nodes"]])
    if seen["balancers"]:
        rows = [_balancer(b, one) for b in seen["balancers"] for one in _listeners(b)]
        show.table("Load balancers", ("name", "state", "nodes", "listener", "targets"), rows)
    if seen["endpoints"]:
        rows = [_endpoint(e) for e in seen["endpoints"]]
        show.table("Endpoints", ("id", "name", "state", "service", "addresses"), rows)
    if seen["faults"]:
        chaos.table(seen["faults"])
    show.table("Internet clients", ("address",), [(address,) for address in seen["outside"]])
    _init(seen.get("init"))
    _loop(seen["loop"])


def _init(report: dict[str, Any] | None) -> None:
    """Print what became of the scripts of `atoll up --init`, if there are any; an older daemon says nothing."""
    for script in report["scripts"] if report else ():
        what = f"{script['stage'].lower()}.d/{script['name']}: {script['state'].lower()}"
        because = f", because {script['because']}" if "because" in script else ""
        show.line(f"Script {what}{because}", "red" if script["state"] == "ERROR" else None)


def drops(*, as_json: bool) -> None:
    """Print what the kernel refused since the rules of each VPC were loaded."""
    seen: dict[str, Any] = private.get("/_atoll/drops", **private.whose())
    if as_json:
        show.as_json(seen)
        return
    columns = ("packets", "bytes", "by", "reason", "from", "to", "vpc")
    show.table("Refused packets", columns, [_drop(d) for d in seen["drops"]])


def _drop(it: dict[str, Any]) -> tuple[object, ...]:
    by = f"{it['by']} ({it['gateway']})" if it["gateway"] else it["by"]
    return it["packets"], it["bytes"], by, it["reason"], it["source"], it["target"], it["vpc"]


def _vpc(vpc: dict[str, Any]) -> tuple[object, ...]:
    return vpc["id"], vpc.get("name"), " ".join([vpc["cidr"], *vpc["ipv6"]]), "yes" if vpc.get("default") else ""


def _instance(i: dict[str, Any]) -> tuple[object, ...]:
    host, trouble = i["placement"]["host"], i["host_error"]
    private_ips = " ".join([i["private_ip"] or "", *i["ipv6"]]).strip()
    return i["id"], i["name"], i["state"], private_ips, i["public_ip"], i["subnet"], host, trouble


def _node(cache: dict[str, Any], node: dict[str, Any]) -> tuple[object, ...]:
    status = node["status"] if cache["status"] == "available" else f"{node['status']} (cache: {cache['status']})"
    engine, version = cache["engine"], cache["version"]
    address, role, host, trouble = (node[name] for name in ("address", "role", "host", "host_error"))
    return cache["name"], engine, version, node["id"], status, address, role, host, trouble


def _listeners(balancer: dict[str, Any]) -> list[dict[str, Any] | None]:
    return balancer["listeners"] or [None]


def _balancer(balancer: dict[str, Any], one: dict[str, Any] | None) -> tuple[object, ...]:
    nodes = ", ".join(balancer["nodes"].values())
    if one is None:
        return balancer["name"], balancer["state"], nodes, "", ""
    targets = ", ".join(f"{t['id']}:{t['port']} {t['state']}" for t in one["targets"])
    return balancer["name"], balancer["state"], nodes, f"{one['protocol']} {one['port']}", targets


def _endpoint(e: dict[str, Any]) -> tuple[object, ...]:
    return e["id"], e["name"], e["state"], e["service"], ", ".join(e["addresses"].values() or e["tables"])


def _loop(loop: dict[str, Any]) -> None:
    show.line()
    rounds = f"{loop['rounds']} rounds for the network, {loop['machine_rounds']} for the machines"
    show.line(f"Loops: {rounds}; {len(loop['failures']) or 'no'} failures")
    for failure in loop["failures"]:
        show.line(f"  {failure}", "red")
    for repair in loop["repairs"]:
        show.line(f"  repaired: {repair}", "yellow")
