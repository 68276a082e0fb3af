"""Access from outside AWS, steps 4 to 6: the iptables rules, the client, and what a reboot leaves."""

from atoll.cli.demo.authorize import answered, dropped, proof
from atoll.cli.demo.facts import (
    CLIENT,
    ELASTIC_IP,
    ENABLE_FORWARDING,
    NODES,
    SAVE,
    SNAT,
    STRANGER,
    Engine,
)
from atoll.cli.demo.nat import TRUSTED
from atoll.cli.demo.stage import Stage, Typed
from atoll.cli.demo.world import World, rule


def forward(stage: Stage, world: World, engine: Engine, nat: str) -> None:
    """Step 4: one rule per node, forwarding, and the NAT of the way back; none of the three may be missing."""
    stage.chapter("Step 4: the iptables rules, typed in the NAT instance")
    for line in engine.forwards():
        stage.type_in(nat, line)
    off = _connect(stage, engine, 0, expected=False)
    stage.check("44", "while IP forwarding is off, nothing is forwarded", dropped(off), proof(off, engine))
    for line in ENABLE_FORWARDING:
        stage.type_in(nat, line)
    on = stage.type_in(nat, "sysctl net.ipv4.ip_forward")
    stage.check("45, 46", "the page's sed and sysctl commands switch it on", on.output.endswith("= 1"), on.output)
    one_way = _connect(stage, engine, 0, expected=False)
    claim = "without the SNAT rule the cluster does not know the sender, and nothing comes back"
    stage.check("43", claim, dropped(one_way), proof(one_way, engine))
    stage.type_in(nat, SNAT)
    works = _connect(stage, engine, 0, expected=True)
    stage.check(
        "41, 43, 66", "with it the client reaches the first node", answered(works, engine), proof(works, engine)
    )
    if engine.printed_ports != f"{engine.forwarded[0]}-{engine.forwarded[-1]}":
        _printed_ports(stage, world, engine)


def connect(stage: Stage, world: World, engine: Engine, nat: str) -> None:
    """Step 5: the trusted client connects to each node; nobody else does."""
    stage.chapter(f"Step 5: the trusted client connects to {ELASTIC_IP}")
    for index, port in enumerate(engine.forwarded):
        told = _connect(stage, engine, index, expected=True)
        claim = f"telnet {ELASTIC_IP} {port} reaches node {index + 1}"
        stage.check("42, 68, 70, 74", claim, answered(told, engine), proof(told, engine))
    (_memcached_clients if engine.is_memcached else _redis_clients)(stage, engine, nat)
    refused = [_connect(stage, engine, index, here=STRANGER, expected=False) for index in range(len(NODES))]
    claim = "another internet address reaches none of them"
    stage.check("58, 183", claim, all(map(dropped, refused)), f"{STRANGER}: {proof(refused[-1], engine)}")
    _translation(stage, engine, nat)
    _egress(stage, world, engine)


def save(stage: Stage, engine: Engine, nat: str) -> None:
    """Step 6: rules survive a reboot only when they were saved."""
    stage.chapter("Step 6: save the iptables configuration")
    stage.reboot(nat)
    lost = stage.type_in(nat, "iptables -t nat -S PREROUTING")
    client = _connect(stage, engine, 0, expected=False)
    unsaved = "DNAT" not in lost.output and not answered(client, engine)
    stage.check("76", "rules that were not saved are gone after a reboot", unsaved, lost.output or "no rules")
    for line in (*engine.forwards(), SNAT, SAVE):
        stage.type_in(nat, line)
    stage.reboot(nat)
    stage.type_in(nat, "iptables -t nat -S")
    again = _connect(stage, engine, len(NODES) - 1, expected=True)
    claim = "after `service iptables save` they are there again, and so is forwarding"
    stage.check("76, 77", claim, answered(again, engine), proof(again, engine))


def _connect(stage: Stage, engine: Engine, index: int, *, here: str = CLIENT, expected: bool) -> Typed:
    return stage.telnet(here, ELASTIC_IP, engine.forwarded[index], engine.hello, engine.bye, expected=expected)


def _printed_ports(stage: Stage, world: World, engine: Engine) -> None:
    last = _connect(stage, engine, len(NODES) - 1, expected=False)
    claim = f"the printed rule, {engine.printed_ports}, leaves the third node out"
    stage.check("E4, 59", claim, dropped(last), f"port {engine.forwarded[-1]} {proof(last, engine)}")
    printed = rule(engine.printed_ports, cidr=TRUSTED)
    stage.aws("ec2", "RevokeSecurityGroupIngress", GroupId=world.nat_group, IpPermissions=printed)
    right = rule(f"{engine.forwarded[0]}-{engine.forwarded[-1]}", cidr=TRUSTED)
    stage.aws("ec2", "AuthorizeSecurityGroupIngress", GroupId=world.nat_group, IpPermissions=right)


def _memcached_clients(stage: Stage, engine: Engine, nat: str) -> None:
    second = engine.forwarded[1]
    given = ("set demo 0 0 6", "second", engine.bye)
    stage.telnet(CLIENT, ELASTIC_IP, second, *given, expected=True)
    found = [stage.telnet(nat, node, engine.port, "get demo", engine.bye, expected=True).output for node in NODES]
    only_second = ["second" in output for output in found] == [False, True, False]
    stage.check("34", f"what is written through port {second} is on node 2, and only there", only_second, "get demo")
    lines = [f"$memcached->connect( '{ELASTIC_IP}', {port} ); echo $memcached->getVersion(), \"\\n\";" for port in
             engine.forwarded]  # fmt: skip
    told = stage.type_as(CLIENT, _php("$memcached = new Memcache;", lines))
    versions = told.output.split()
    stage.check("72", "the page's PHP lines run (php-memcache)", len(versions) == len(NODES), ", ".join(versions))


def _redis_clients(stage: Stage, engine: Engine, nat: str) -> None:
    first, second, third = engine.forwarded
    stage.type_as(CLIENT, f"redis-cli -h {ELASTIC_IP} -p {first} SET demo hello")
    read = stage.type_as(CLIENT, f"redis-cli -h {ELASTIC_IP} -p {third} GET demo")
    stage.check("28, 70", "a value set on the primary is read on a replica", read.output == "hello", read.output)
    wrote = stage.type_as(CLIENT, f"redis-cli -h {ELASTIC_IP} -p {second} SET demo no")
    stage.check("70", "a replica refuses writes", "READONLY" in wrote.output, wrote.output)
    seen = stage.type_in(nat, f"redis-cli -h {NODES[0]} CLIENT LIST TYPE normal")
    stage.check(
        "43", "the node sees the NAT instance, not the client", "addr=10.0.0.55:" in seen.output, seen.output[:60]
    )
    lines = [f"$redis->connect( '{ELASTIC_IP}', {port} ); echo $redis->get('demo'), \"\\n\";" for port in
             engine.forwarded]  # fmt: skip
    told = stage.type_as(CLIENT, _php("$redis = new Redis;", lines))
    stage.check(
        "73",
        "the page's PHP lines run (phpredis)",
        told.output.split() == ["hello"] * 3,
        told.output.replace("\n", ", "),
    )


def _php(new: str, lines: list[str]) -> str:
    body = "\n".join(f"{new} {line}" for line in lines)
    return f"php <<'END'\n<?php\n{body}\nEND"


def _translation(stage: Stage, engine: Engine, nat: str) -> None:
    port = engine.forwarded[1]
    told = stage.type_in(nat, f"conntrack -L -p tcp --orig-port-dst {port} 2>/dev/null")
    wanted = (f"src={CLIENT}", f"dport={port}", f"src={NODES[1]} dst=10.0.0.55 sport={engine.port}")
    line = next((line for line in told.output.splitlines() if all(part in line for part in wanted)), "")
    claim = "the NAT instance's connection table shows the translation"
    stage.check("33, 146", claim, bool(line), f"{CLIENT} -> 10.0.0.55:{port} -> {NODES[1]}:{engine.port}")
    counters = stage.type_in(nat, "iptables -t nat -nvL PREROUTING")
    counted = [row.split()[0] for row in counters.output.splitlines() if "DNAT" in row]
    stage.check(
        "33", "the counters of its rules rise", all(c != "0" for c in counted), f"packets: {', '.join(counted)}"
    )


def _egress(stage: Stage, world: World, engine: Engine) -> None:
    out = {"GroupId": world.nat_group, "IpPermissions": rule(engine.port, group=world.cluster_group)}
    stage.aws("ec2", "RevokeSecurityGroupEgress", **out)
    cut = _connect(stage, engine, 0, expected=False)
    claim = "without the NAT instance's outbound rule the forward stops"
    stage.check("61, 62, 184", claim, not answered(cut, engine), proof(cut, engine))
    stage.aws("ec2", "AuthorizeSecurityGroupEgress", **out)
    works = _connect(stage, engine, 0, expected=True)
    stage.check("61, 62", "with it the forward works again", answered(works, engine), proof(works, engine))
