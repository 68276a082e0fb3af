"""Peering connections: list, request, accept, reject, delete, private names."""

from atoll.console import choices, tables
from atoll.console.ask import Answered, Ask, name_of, named
from atoll.console.parts import NAME, Act, Facts, Field, detail, form, listing, one
from atoll.console.site import act, home, menu, page
from atoll.console.tables import Row, column

UP = ("/vpc/peering", "vpc.peering")
ENDED = ("deleted", "rejected", "expired", "failed")
COLUMNS = (
    tables.NAME,
    column("id", "common.id", "VpcPeeringConnectionId", "id"),
    column("state", "common.state", lambda p: p["Status"]["Code"], "status"),
    column("requester", "vpc.requester", lambda p: p["RequesterVpcInfo"].get("VpcId"), "id"),
    column("accepter", "vpc.accepter", lambda p: p["AccepterVpcInfo"].get("VpcId"), "id"),
    column("place", "vpc.accepter_place", lambda p: _place(p["AccepterVpcInfo"])),
)
menu("vpc", "/vpc/peering", "vpc.peering", order=70)
home("pcx", "/vpc/peering/{id}")


def _place(side: Row) -> str:
    return f"{side.get('OwnerId', '')} · {side.get('Region', '')}"


@page("/vpc/peering")
async def peerings(ask: Ask) -> Answered:
    """List them."""
    found = await ask.aws_all("ec2", "DescribeVpcPeeringConnections", "VpcPeeringConnections")
    return listing(
        ask, "vpc.peering", found, COLUMNS, kinds=("Peering",), create="/vpc/peering/create",
        acts=lambda peering: _acts(ask, peering),
    )  # fmt: skip


def _acts(ask: Ask, peering: Row) -> list[Act]:
    id, state = peering["VpcPeeringConnectionId"], peering["Status"]["Code"]
    accepter = peering["AccepterVpcInfo"]
    mine = (accepter.get("OwnerId"), accepter.get("Region")) == (ask.account, ask.region)
    fields, found = {"id": id}, []
    if state == "pending-acceptance" and mine:
        found = [
            Act(path="/vpc/peering/accept", text="vpc.accept", fields=fields),
            Act(path="/vpc/peering/reject", text="vpc.reject", fields=fields, sure="vpc.sure_reject", danger=True),
        ]
    if state in ENDED:
        return found
    return [
        *found,
        Act(path="/vpc/peering/delete", text="common.delete", fields=fields, sure="common.sure_delete", danger=True),
    ]


@page("/vpc/peering/create")
async def new(ask: Ask) -> Answered:
    """Ask which VPCs."""
    vpcs = await choices.vpcs(ask)
    fields = [
        NAME,
        Field(name="vpc", text="vpc.requester", shows="select", choices=vpcs, required=True),
        Field(name="peer", text="vpc.accepter", required=True, hint="vpc.accepter_hint",
              placeholder="vpc-0123456789abcdef0"),
        Field(name="account", text="vpc.accepter_account", hint="vpc.accepter_account_hint", placeholder=ask.account),
        Field(name="region", text="vpc.accepter_region", hint="vpc.accepter_region_hint", placeholder=ask.region),
    ]  # fmt: skip
    return form(ask, "vpc.create_peering", "/vpc/peering/create", fields, up=UP, submit="vpc.request")


@act("/vpc/peering/create", back="/vpc/peering/create")
async def create(ask: Ask) -> Answered:
    """Request it."""
    given = ask.form.given(VpcId="vpc", PeerVpcId="peer", PeerOwnerId="account", PeerRegion="region")
    tags = named("vpc-peering-connection", ask.form.get("name"))
    made = await ask.aws("ec2", "CreateVpcPeeringConnection", **given, TagSpecifications=tags)
    id = made["VpcPeeringConnection"]["VpcPeeringConnectionId"]
    return ask.go(f"/vpc/peering/{id}", "vpc.done_created", id=id)


@page("/vpc/peering/{id}")
async def peering(ask: Ask) -> Answered:
    """Show one, from both sides."""
    id = ask.parts["id"]
    found = await ask.aws("ec2", "DescribeVpcPeeringConnections", VpcPeeringConnectionIds=[id])
    it = one(found["VpcPeeringConnections"])
    facts = Facts(
        title="common.details",
        facts=[
            ("common.id", id, "code"),
            ("common.state", it["Status"]["Code"], "status"),
            ("common.description", it["Status"]["Message"], "text"),
            ("vpc.expires", it.get("ExpirationTime"), "time"),
            ("common.tags", it.get("Tags"), "tags"),
        ],
    )
    sides = [
        Facts(
            title=title,
            facts=[
                ("vpc.vpc", side.get("VpcId"), "id"),
                ("common.account", side.get("OwnerId"), "code"),
                ("common.region", side.get("Region"), "text"),
                ("vpc.cidr", ", ".join(c["CidrBlock"] for c in side.get("CidrBlockSet", ())), "code"),
                ("vpc.private_names", _resolves(side), "yes"),
            ],
        )
        for title, side in (("vpc.requester", it["RequesterVpcInfo"]), ("vpc.accepter", it["AccepterVpcInfo"]))
    ]
    acts = _acts(ask, it)
    if it["Status"]["Code"] == "active":
        acts = [*_names(ask, it), *acts]
    return detail(
        ask,
        "vpc.peering_connection",
        id,
        name=name_of(it),
        up=UP,
        kinds=("Peering",),
        parts=[facts, *sides],
        acts=acts,
    )


def _resolves(side: Row) -> bool:
    return bool(side.get("PeeringOptions", {}).get("AllowDnsResolutionFromRemoteVpc"))


def _names(ask: Ask, peering: Row) -> list[Act]:
    """Return buttons that switch the private names of the sides that are ours."""
    sides = (("RequesterVpcInfo", "requester"), ("AccepterVpcInfo", "accepter"))
    mine = [(peering[i], side) for i, side in sides if peering[i].get("OwnerId") == ask.account]
    return [
        Act(
            path=f"/vpc/peering/{peering['VpcPeeringConnectionId']}/names",
            text=f"vpc.names_{side}_{'off' if _resolves(info) else 'on'}",
            fields={"side": side, "value": str(not _resolves(info)).lower()},
        )
        for info, side in mine
    ]


@act("/vpc/peering/{id}/names", back="/vpc/peering/{id}")
async def names(ask: Ask) -> Answered:
    """Switch whether one side's public names mean private addresses for the other."""
    id = ask.parts["id"]
    side = "Requester" if ask.form.get("side") == "requester" else "Accepter"
    options = {f"{side}PeeringConnectionOptions": {"AllowDnsResolutionFromRemoteVpc": ask.form.get("value")}}
    await ask.aws("ec2", "ModifyVpcPeeringConnectionOptions", VpcPeeringConnectionId=id, **options)
    return ask.go(f"/vpc/peering/{id}", "vpc.done_changed", id=id)


@act("/vpc/peering/accept", back="/vpc/peering")
async def accept(ask: Ask) -> Answered:
    """Accept it."""
    id = ask.form.get("id")
    await ask.aws("ec2", "AcceptVpcPeeringConnection", VpcPeeringConnectionId=id)
    return ask.go(f"/vpc/peering/{id}", "vpc.done_changed", id=id)


@act("/vpc/peering/reject", back="/vpc/peering")
async def reject(ask: Ask) -> Answered:
    """Reject it."""
    id = ask.form.get("id")
    await ask.aws("ec2", "RejectVpcPeeringConnection", VpcPeeringConnectionId=id)
    return ask.go("/vpc/peering", "vpc.done_changed", id=id)


@act("/vpc/peering/delete", back="/vpc/peering")
async def delete(ask: Ask) -> Answered:
    """Delete it."""
    id = ask.form.get("id")
    await ask.aws("ec2", "DeleteVpcPeeringConnection", VpcPeeringConnectionId=id)
    return ask.go("/vpc/peering", "vpc.done_deleted", id=id)
