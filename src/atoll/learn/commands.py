"""Commands that many lessons have, as a person would type them."""


def admit(group: str, ports: int | str, source: str) -> str:
    """Return the command that lets a source in: a CIDR block, or `sg:NAME`."""
    return f"aws ec2 authorize-security-group-ingress {_rule(group, ports, source)}"


def withdraw(group: str, ports: int | str, source: str) -> str:
    """Return the command that takes such a rule back."""
    return f"aws ec2 revoke-security-group-ingress {_rule(group, ports, source)}"


def admit_out(group: str, port: int, target: str) -> str:
    """Return the command that lets a group send to another."""
    pair = f"IpProtocol=tcp,FromPort={port},ToPort={port},UserIdGroupPairs=[{{GroupId={{sg:{target}}}}}]"
    return f"aws ec2 authorize-security-group-egress --group-id {{sg:{group}}} --ip-permissions '{pair}'"


def entry(acl: str, number: int, ports: str, cidr: str, *, egress: bool = False, deny: bool = False) -> str:
    """Return the command that adds a TCP entry to a network ACL; `ports`: "6379", or "1024-65535"."""
    low, _, high = ports.partition("-")
    side, action = "--egress" if egress else "--ingress", "deny" if deny else "allow"
    return (
        f"aws ec2 create-network-acl-entry --network-acl-id {{acl:{acl}}} {side} --rule-number {number}"
        f" --protocol tcp --port-range From={low},To={high or low} --cidr-block {cidr} --rule-action {action}"
    )


def no_entry(acl: str, number: int, *, egress: bool = False) -> str:
    """Return the command that takes an entry away."""
    side = "--egress" if egress else "--ingress"
    return f"aws ec2 delete-network-acl-entry --network-acl-id {{acl:{acl}}} {side} --rule-number {number}"


def named(kind: str, name: str) -> str:
    """Return the option that gives a new resource its name."""
    return f"--tag-specifications 'ResourceType={kind},Tags=[{{Key=Name,Value={name}}}]'"


def elastic_ip(name: str) -> str:
    """Return the command that allocates an Elastic IP."""
    return f"aws ec2 allocate-address --domain vpc {named('elastic-ip', name)}"


def inside(instance: str, line: str) -> str:
    """Return the command that types a line in an instance."""
    return f"atoll exec {instance} -- {line}"


def _rule(group: str, ports: int | str, source: str) -> str:
    at = f"--source-group {{{source}}}" if source.startswith("sg:") else f"--cidr {source}"
    return f"--group-id {{sg:{group}}} --protocol tcp --port {ports} {at}"
