"""The fabric as an ordinary user: root only in a user namespace of its own, and everything is the same."""

import os
from pathlib import Path

import pytest

from atoll.host.linux.syscalls import CLONE_NEWUSER, unshare
from tests.kernel import test_fabric, test_fabric_adopt, test_fabric_scenario, test_ipv6
from tests.kernel.conftest import in_child, why_not
from tests.kernel.ground import Ground, internet_of_our_own
from tests.network.worlds import prod_lab

pytestmark = pytest.mark.kernel

CLAIMS = [
    test_fabric.test_revoking_a_narrow_rule_leaves_open_connections_alone,
    test_fabric.test_revoking_an_untracked_rule_cuts_open_connections,
    test_fabric.test_two_vpcs_with_the_same_addresses_do_not_meet,
    test_fabric.test_a_gateway_translates_both_ways_one_to_one,
    test_fabric.test_public_addresses_reach_each_other_across_vpcs_and_within_one,
    test_fabric.test_a_forged_source_is_dropped,
    test_fabric.test_a_machine_without_check_may_be_the_next_hop_in_its_subnet,
    test_fabric.test_arp_is_answered_for_who_is_there_and_for_nobody_else,
    test_fabric.test_services_of_the_router_are_past_groups_and_acls,
    test_ipv6.test_an_egress_only_gateway_lets_in_answers_only,
    test_ipv6.test_addresses_come_and_go,
]
CLAIMS_OF_THE_DOCUMENTS = [
    test_fabric_scenario.test_the_trusted_client_reaches_the_node_and_is_seen_as_the_nat_instance,
    test_fabric_scenario.test_a_private_subnet_goes_out_through_the_nat_instance,
    test_fabric_adopt.test_a_second_daemon_adopts_what_the_first_left_and_flows_live_on,
]


def as_ordinary_user(claim, *arguments):
    def run():
        user, group = os.getuid(), os.getgid()
        unshare(CLONE_NEWUSER)
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"0 {user} 1")
        Path("/proc/self/gid_map").write_text(f"0 {group} 1")
        with internet_of_our_own(for_good=True) as directory:
            ground = Ground(directory)
            claim(ground, *arguments)
            ground.close()

    if reason := why_not("rootless"):
        pytest.skip(reason)
    in_child(run, rootless=True)


@pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: claim.__name__.removeprefix("test_"))
def test_as_an_ordinary_user(claim):
    as_ordinary_user(claim)


@pytest.mark.parametrize("claim", CLAIMS_OF_THE_DOCUMENTS, ids=lambda claim: claim.__name__.removeprefix("test_"))
def test_the_documented_network_as_an_ordinary_user(claim):
    as_ordinary_user(claim, prod_lab())


@pytest.mark.parametrize(
    "damage", test_fabric_adopt.BREAKS, ids=[b.__name__.removeprefix("break_") for b in test_fabric_adopt.BREAKS]
)
def test_damage_is_mended_as_an_ordinary_user(damage):
    as_ordinary_user(
        lambda ground: test_fabric_adopt.test_damage_behind_our_back_is_noticed_named_and_mended(
            ground, prod_lab(), damage
        )
    )
