"""Failover, decided: from what is seen of a shard's members, the next act, with its reason.  Pure.

    detect - fence - drain - choose - promote - publish - repoint

One act at a time: the control loop does it, looks again and asks again, so that a crash between any two acts leaves
nothing but another look.  What cannot be seen is in the World: a choice is written before anybody is promoted.

A shard has one leader, whom all others follow.  Three rules keep it to one primary:

- Nobody is promoted while the leader's process runs as a primary: a lost leader is killed first, a planned change
  demotes it first.
- Nobody else is chosen while the one chosen before may have been promoted unseen: it is killed first.
- A leader is killed only when someone is there to take over.

In cluster mode a promotion is a takeover: the new primary claims the slots with a greater epoch, and whoever hears of
it obeys.  A planned change promotes first, while the leader holds back its writes, and the leader steps down by
itself. Engines elect, too, when nobody looks after them for long; whom they elected is recognised.

In another region's copy (cache/upstream.py) the leader of a shard in cluster mode copies from outside, and no replica
can take its place in that: a lost one is started anew, and copies again, while its replicas are read.  To promote
the shard, a replica takes over from it; when there is none, it is started anew, as a primary, with its own data.

While a group changes its cluster mode it has engines of both.  They replicate from each other, but none obeys one of
the other mode: the leader is killed, with its writes held back, when the chosen one has all of them.
"""

from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

from atoll.cache.failover_acts import (
    Abandon,
    Act,
    Choose,
    Demote,
    Fence,
    Follow,
    Pause,
    Promote,
    Publish,
    Rebuild,
    Reload,
    Restore,
    Wait,
)

HUNG_SECONDS = 3.0  # without an answer; one that is busy with a script answers BUSY, which is an answer
HUNG_BUSY_SECONDS = 10.0  # likewise, while it burns processor time: it works, on one command
MISSES = 3  # connections from the router that failed, in a row
DRAIN_SECONDS = 0.1  # for what a dead primary's kernel still delivers
HOPE_SECONDS = 30.0  # for a replica that runs but cannot lead just now, before all data are given up
PAUSE_SECONDS = 1.5  # of writes, for the replica to catch up
PROMOTION_SECONDS = 20.0  # for a planned change, in all
HEARING_SECONDS = 1.0  # for a leader to hear that another one has its slots; its writes are held for longer

Role: TypeAlias = Literal["primary", "replica"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """What was seen of one member."""

    id: str
    name: str
    is_available: bool  # the World says so: it has been in step since it started
    is_running: bool  # its process has not ended
    gone_seconds: float = 0.0  # since its end was seen
    is_stopped: bool = False  # by a signal, at two looks
    silent_seconds: float = 0.0  # since it answered last
    is_busy: bool = False  # it used the processor meanwhile
    misses: float = 0.0  # connections that failed, in a row; what we were late to see counts less
    role: Role | None = None  # None: it does not say
    follows: str | None = None  # the member that a replica follows
    link_up: bool = False
    is_copying: bool = False  # a replica whose data are being replaced as a whole; a leader without its source
    offset: int = 0  # how much of the history it has
    history: str = ""  # which history that is
    paused_seconds: float | None = None  # since its writes were paused; None: they are not
    epoch: int = 0  # in cluster mode, of a primary beside another one: the greater has the slots
    is_cluster: bool = False  # its engine runs in cluster mode
    from_outside: bool = False  # a replica that copies from another region


@dataclass(frozen=True, slots=True, kw_only=True)
class Shard:
    """A shard as the World has it, and its members as they were seen."""

    primary_id: str
    source_id: str | None = None  # `NodeGroup.source_id`
    is_automatic: bool = True
    promotion: str | None = None  # why a change of primary is under way; None: none is
    target_id: str | None = None  # who is to be primary
    promotion_seconds: float = 0.0
    history: str = ""  # the leader's, when it answered last
    is_cluster: bool = False  # its leader's engine runs in cluster mode
    rivals_seconds: float = 0.0  # since two primaries were seen
    copies_outside: bool = False  # its leader is to copy from outside: one that does counts as a primary
    is_handed_over: bool = False  # its leader ends, for another region's to be promoted
    members: tuple[Sight, ...]

    @property
    def leader_id(self) -> str:
        """The member that the others follow."""
        return self.source_id or self.primary_id

    def find(self, id: str | None) -> Sight | None:
        """Return what was seen of a member; None if it is none any more."""
        return next((member for member in self.members if member.id == id), None)


def decide(shard: Shard) -> Act:
    """Return the next act; None: all is well, or nothing can be done."""
    leader = shard.find(shard.leader_id)
    if leader is None:
        return None  # it is being deleted
    if shard.is_cluster and shard.is_handed_over:
        return None
    if shard.is_cluster and shard.copies_outside:
        return _copy(shard, leader)
    if shard.is_cluster and leader.from_outside and leader.is_running and not _has_heir(shard):
        return _promote_beside(shard, leader)
    if shard.is_cluster and (elected := _elected(shard, leader)):
        return _recognise(shard, leader, elected)
    if shard.is_cluster and leader.is_running and not leader.is_available:
        return None  # it starts, as nobody's replica (cache/shards.py)
    if fault := trouble(leader):
        return _replace(shard, leader, fault)
    if leader.role is None:
        return Wait(f"{leader.name} does not say what it is") if shard.promotion else None
    if leader.role == "replica":
        return _complete(shard, leader)
    if shard.promotion:
        return _hand_over(shard, leader)
    if shard.source_id and (primary := shard.find(shard.primary_id)) and _can_lead(primary):
        return Choose(primary.id, f"{primary.name} has copied the data back from {leader.name}")
    return _repoint(shard, leader)


def _copy(shard: Shard, leader: Sight) -> Act:
    """The leader copies from outside, which is how its engine starts: no running one can be told to."""
    for other in shard.members:
        if other.id != leader.id and other.is_running and other.role == "primary":
            return Fence(other.id, f"{leader.name} leads, and copies from outside")
    # One that is cut off can be read in its zone, and loses nothing; one that starts may be slow.
    slow = replace(leader, misses=0.0, silent_seconds=leader.silent_seconds if leader.is_available else 0.0)
    fault = trouble(slow)
    if fault is None and leader.role == "replica":
        fault = "it does not copy from outside"
    if fault and leader.is_running:
        return Fence(leader.id, fault)
    if fault:
        return Rebuild(f"{leader.name}: {fault}; it copies again from outside") if leader.is_available else None
    if shard.promotion:
        return Abandon(leader.id, f"{leader.name} copies from outside")
    return _repoint(shard, leader)


def _has_heir(shard: Shard) -> bool:
    return any(m.role == "primary" and m.is_available for m in shard.members)


def _promote_beside(shard: Shard, leader: Sight) -> Act:
    """The leader has copied from outside, and its shard is to be a primary's: a replica of it takes over.

    When none can that has all of its data, or will have them, it begins anew with them, as a primary.
    """
    chosen, best, because = shard.find(shard.target_id), _best(shard), f"{leader.name} has copied from outside"
    if chosen and chosen.is_running and chosen.is_available:  # a process that starts has not been promoted
        if wrong := trouble(chosen):
            return Fence(chosen.id, f"{wrong}; it may be a primary already, and another one is needed")
        if chosen.role is None:
            return Wait(f"{chosen.name} does not say what it is")
    if best is None:
        return _begin_anew(shard, leader)
    if chosen is None or not _can_lead(chosen):
        return Choose(best.id, f"{because}; {best.name} has the most, up to {best.offset}")
    if not leader.is_available or _has_all(chosen, leader):
        return Promote(chosen.id, because)
    if _has_all(best, leader):
        return Choose(best.id, f"{best.name} has all of it")
    # A leader that hears nobody any more gives its data to none who connects anew.
    return Wait(f"{chosen.name} catches up") if chosen.link_up or leader.link_up else _begin_anew(shard, leader)


def _begin_anew(shard: Shard, leader: Sight) -> Act:
    if not leader.is_available:
        return Fence(leader.id, "it copies from a primary that is gone, and nobody else has the data")
    if leader.link_up:
        return Wait(f"no replica of {leader.name} is in step")  # but one will be
    for other in shard.members:
        if other.id == leader.id or not other.is_running or not other.is_available:
            continue
        if wrong := trouble(other):
            return Fence(other.id, f"{wrong}; it may be a primary already, and {leader.name} is to be one")
        if other.role != "replica" or other.is_copying:
            return Wait(f"{other.name} has, or gets, data of {leader.name}")
    return Reload(leader.id, "no replica has all of its data, and it hears nobody, so that none can get them")


def _has_all(replica: Sight, leader: Sight) -> bool:
    return replica.history == leader.history and replica.offset >= leader.offset


def after(shard: Shard, act: Act) -> Shard | None:
    """Return what is certain once an act has succeeded, for the acts behind which nobody needs to look again.

    A look costs a round trip to each engine, and somebody is waiting to write.  None: look.
    """
    match act:
        case Choose(id):
            return replace(shard, promotion=shard.promotion or "failure", target_id=id)
        case Promote(id):
            epoch = max(m.epoch for m in shard.members) + 1
            return replace(shard, members=tuple(_promoted(m, epoch) if m.id == id else m for m in shard.members))
    return None


def _promoted(member: Sight, epoch: int) -> Sight:
    return replace(member, role="primary", follows=None, epoch=epoch)


def trouble(member: Sight) -> str | None:
    """Say what is wrong with a member, if it is beyond doubt."""
    if not member.is_running:
        return "its process has ended"
    if member.is_stopped:
        return "its process is stopped"
    if member.silent_seconds >= (HUNG_BUSY_SECONDS if member.is_busy else HUNG_SECONDS):
        return f"it has not answered for {member.silent_seconds:.1f} s"
    if member.misses >= MISSES:
        return f"the network did not reach it {member.misses:.0f} times"
    return None


def _can_lead(member: Sight) -> bool:
    return member.is_available and member.role == "replica" and not member.is_copying and trouble(member) is None


def _best(shard: Shard) -> Sight | None:
    """Return the replica that has most of the leader's history."""
    able = [m for m in shard.members if m.id != shard.leader_id and _can_lead(m)]
    if not able:
        return None
    return min(able, key=lambda m: (shard.history not in ("", m.history), -m.offset, m.name))


def _elected(shard: Shard, leader: Sight) -> Sight | None:
    """Return the member that has the leader's slots by now, in cluster mode."""
    claims = leader.role == "primary" and leader.is_running
    others = [
        m
        for m in shard.members
        if m.id != leader.id and m.role == "primary" and m.is_available and trouble(m) is None
        if not claims or m.epoch > leader.epoch
    ]
    return max(others, key=lambda m: m.epoch, default=None)


def _recognise(shard: Shard, leader: Sight, elected: Sight) -> Act:
    """Another one has the leader's slots: the leader steps down, or is fenced, and the other one leads."""
    if leader.is_running:
        if fault := trouble(leader):
            return Fence(leader.id, f"{fault}, and {elected.name} has its slots")
        if leader.role is None:
            return Wait(f"{leader.name} does not say what it is")
        if leader.role == "primary":
            because = f"{leader.name} has not heard that {elected.name} has its slots"
            return Wait(because) if shard.rivals_seconds < HEARING_SECONDS else Fence(leader.id, because)
    return Publish(elected.id, f"it has the slots of {leader.name}")


def _replace(shard: Shard, leader: Sight, fault: str) -> Act:
    """The leader is lost: fence, drain, choose, promote, publish."""
    if not leader.is_available or len(shard.members) == 1:
        return None  # it is being started again already
    if shard.target_id and (chosen := shard.find(shard.target_id)) and chosen.is_running:
        return _install(shard, leader, chosen, fault)
    best = _best(shard)
    if leader.is_running:
        return Fence(leader.id, fault) if best else None
    if best is None:
        # Its data are the last there are.  It may be slow, as its leader was: a machine that is short of processors
        # is so for both.  One that copies anew keeps what it has until all has come, and takes up to a second to tell
        # that nothing comes any more.
        hope = any(m.is_running and m.is_available for m in shard.members if m.id != leader.id)
        if hope and leader.gone_seconds < HOPE_SECONDS:
            return Wait("a replica that has data does not answer, cannot be reached, or copies, just now")
        return Rebuild(f"{leader.name}: {fault}, and no replica has the data")
    if _is_under_way(shard, leader):
        return Wait(f"the replicas still read what {leader.name} had sent")
    because = f"{leader.name}: {fault}; {best.name} has the most, up to {best.offset}"
    return Choose(best.id, because) if shard.is_automatic or shard.promotion else Restore(best.id, because)


def _install(shard: Shard, leader: Sight, chosen: Sight, fault: str) -> Act:
    """Somebody was chosen to follow a lost leader: perhaps it is promoted already."""
    if wrong := trouble(chosen):
        if not leader.is_running and _best(shard) is None and leader.gone_seconds < HOPE_SECONDS:
            return Wait(f"{chosen.name}: {wrong}; nobody else has the data")
        return Fence(chosen.id, f"{wrong}; it may be a primary already, and another one is needed")
    if chosen.role is None:
        return Wait(f"{chosen.name} does not say what it is")
    if leader.is_running:
        return Fence(leader.id, fault)
    if chosen.role == "primary":
        return Publish(chosen.id, f"{leader.name}: {fault}")
    if _is_under_way(shard, leader):  # whoever ends with more than the new leader copies everything anew
        return Wait(f"the replicas still read what {leader.name} had sent")
    best = _best(shard)
    if best and best.id != chosen.id and (chosen.is_copying or chosen.offset < best.offset):
        return Choose(best.id, f"{chosen.name} was started again and lacks data")
    return Promote(chosen.id, f"{leader.name}: {fault}")


def _is_under_way(shard: Shard, leader: Sight) -> bool:
    """Tell whether what a dead leader had sent may still arrive at replicas."""
    return leader.gone_seconds < DRAIN_SECONDS and any(m.link_up for m in shard.members if m.is_running)


def _complete(shard: Shard, leader: Sight) -> Act:
    """The leader is a replica: a planned change has come so far, or it has just been made the leader."""
    chosen = shard.find(shard.target_id)
    if chosen is not None and chosen.is_running:
        if wrong := trouble(chosen):
            return Fence(chosen.id, f"{wrong}; it may be a primary already, and {leader.name} leads on")
        if chosen.role is None:
            return Wait(f"{chosen.name} does not say what it is")
        if chosen.role == "primary":
            return Publish(chosen.id, f"{leader.name} has handed over")
        if chosen.offset >= leader.offset:
            return Promote(chosen.id, f"{leader.name} takes no writes any more")
    source = shard.find(leader.follows)
    if leader.is_copying and source and trouble(source) is None:
        return Wait(f"{leader.name} has a part of the data of {source.name}")
    for other in shard.members:
        if other.id != leader.id and other.role == "primary":
            return Follow(other.id, leader.id, f"{leader.name} leads")
    return Promote(leader.id, "nobody else leads")


def _hand_over(shard: Shard, leader: Sight) -> Act:
    """A planned change, and the leader serves: pause, wait for equal offsets, demote."""
    late = shard.promotion_seconds > PROMOTION_SECONDS
    if shard.target_id is None:
        if best := _best(shard):
            return Choose(best.id, f"it has the most, up to {best.offset}")
        return Abandon(leader.id, "no replica is in step") if late else Wait("no replica is in step")
    chosen = shard.find(shard.target_id)
    if chosen is None or trouble(chosen):
        return Abandon(leader.id, f"the new primary: {trouble(chosen) if chosen else 'it is gone'}")
    if chosen.role == "primary":  # somebody made it one
        return Follow(chosen.id, leader.id, f"{leader.name} leads still")
    if late:
        return Abandon(leader.id, f"{chosen.name} did not catch up in time")
    if not _can_lead(chosen):
        return Wait(f"{chosen.name} is not ready")
    if leader.is_copying:
        return Wait(f"{leader.name} does not have the data of its source yet")
    if chosen.follows != leader.id:
        return Follow(chosen.id, leader.id, f"{leader.name} leads still")
    if leader.paused_seconds is None:
        return Pause(leader.id, f"{chosen.name} is to have all of it") if chosen.link_up else Wait("the link is down")
    if leader.paused_seconds > PAUSE_SECONDS:
        return Abandon(leader.id, f"{chosen.name} did not catch up")
    if chosen.offset < leader.offset or chosen.history != leader.history:
        return Wait(f"{chosen.name} catches up")
    because = f"{chosen.name} has all of it, up to {chosen.offset}"
    if chosen.is_cluster != leader.is_cluster:
        return Fence(leader.id, f"{because}; {leader.name} cannot follow it, being of another cluster mode")
    return Promote(chosen.id, because) if shard.is_cluster else Demote(leader.id, chosen.id, because)


def _repoint(shard: Shard, leader: Sight) -> Act:
    """The leader serves: the others follow it, and one that is in trouble is replaced."""
    for other in shard.members:
        if other.id == leader.id:
            continue
        if other.role == "primary" or (other.role == "replica" and other.follows != leader.id):
            if other.is_cluster and not leader.is_cluster:
                return Fence(other.id, f"{leader.name} leads, of which one in cluster mode learns from its file")
            return Follow(other.id, leader.id, f"{leader.name} leads")
        wrong = trouble(other) if other.is_available or other.is_stopped else None  # one that starts may be slow
        if wrong and other.is_running and leader.misses == 0:
            return Fence(other.id, wrong)
    return None
