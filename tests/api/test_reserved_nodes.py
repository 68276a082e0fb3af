"""Reserved nodes: offers, purchases, and the minute in which they begin."""

from datetime import timedelta

import pytest

from atoll.elasticache import reserved
from tests.api.paper import code, refusal


@pytest.fixture
def offering(cache):
    """The id of an offer."""
    found = cache.describe_reserved_cache_nodes_offerings(
        CacheNodeType="cache.t3.micro", Duration="1", ProductDescription="valkey", OfferingType="No Upfront"
    )
    return found["ReservedCacheNodesOfferings"][0]["ReservedCacheNodesOfferingId"]


def test_every_node_type_can_be_reserved_for_a_year_or_three_in_three_ways(cache):
    found = cache.describe_reserved_cache_nodes_offerings(CacheNodeType="cache.r7g.large", ProductDescription="redis")

    offers = found["ReservedCacheNodesOfferings"]
    assert {(o["Duration"], o["OfferingType"]) for o in offers} == {
        (years * 31_536_000, payment)
        for years in (1, 3)
        for payment in ("No Upfront", "Partial Upfront", "All Upfront")
    }
    assert {(o["FixedPrice"], o["UsagePrice"]) for o in offers} == {(0.0, 0.0)}
    assert offers[0]["RecurringCharges"] == [{"RecurringChargeAmount": 0.0, "RecurringChargeFrequency": "Hourly"}]


def test_offers_come_in_pages_and_each_only_once(cache):
    pages = cache.get_paginator("describe_reserved_cache_nodes_offerings").paginate()

    ids = [o["ReservedCacheNodesOfferingId"] for page in pages for o in page["ReservedCacheNodesOfferings"]]

    assert len(ids) == len(set(ids)) > 1000


def test_what_was_bought_is_pending_and_then_active_and_in_the_end_retired(cache, paper, offering):
    bought = cache.purchase_reserved_cache_nodes_offering(
        ReservedCacheNodesOfferingId=offering, ReservedCacheNodeId="mine", CacheNodeCount=2
    )["ReservedCacheNode"]
    assert (bought["State"], bought["CacheNodeCount"], bought["ProductDescription"]) == (
        "payment-pending",
        2,
        "valkey",
    )
    assert bought["ReservationARN"].endswith(":reserved-instance:mine")

    paper.write(reserved.settle)
    (active,) = cache.describe_reserved_cache_nodes(ReservedCacheNodesOfferingId=offering)["ReservedCacheNodes"]
    paper.clock += timedelta(days=366)
    paper.write(reserved.settle)
    (retired,) = cache.describe_reserved_cache_nodes(ReservedCacheNodeId="mine")["ReservedCacheNodes"]

    assert (active["State"], retired["State"]) == ("active", "retired")


def test_a_reservation_has_a_name_of_its_own_when_none_is_given(cache, offering):
    names = {
        cache.purchase_reserved_cache_nodes_offering(ReservedCacheNodesOfferingId=offering)["ReservedCacheNode"][
            "ReservedCacheNodeId"
        ]
        for _ in range(2)
    }

    assert len(names) == 2
    assert all(name.startswith("ri-") for name in names)


def test_what_cannot_be_reserved_is_refused(cache, offering):
    buy = cache.purchase_reserved_cache_nodes_offering
    buy(ReservedCacheNodesOfferingId=offering, ReservedCacheNodeId="mine")

    assert code(buy, ReservedCacheNodesOfferingId="none") == "ReservedCacheNodesOfferingNotFound"
    assert code(buy, ReservedCacheNodesOfferingId=offering, CacheNodeCount=0) == "InvalidParameterValue"
    assert code(buy, ReservedCacheNodesOfferingId=offering, CacheNodeCount=300) == "ReservedCacheNodeQuotaExceeded"
    assert refusal(buy, ReservedCacheNodesOfferingId=offering, ReservedCacheNodeId="MINE") == (
        "ReservedCacheNodeAlreadyExists",
        "You already have a reservation with the identifier MINE.",
    )
    assert code(cache.describe_reserved_cache_nodes, ReservedCacheNodeId="other") == "ReservedCacheNodeNotFound"
    assert code(cache.describe_reserved_cache_nodes_offerings, Duration="2") == "InvalidParameterValue"


@pytest.mark.parametrize(("duration", "seconds"), [("1", 31_536_000), ("P1Y", 31_536_000), ("94608000", 94_608_000),
                                                   ("P3Y", 94_608_000)])  # fmt: skip
def test_a_duration_is_in_years_in_seconds_or_as_terraform_says_it(cache, duration, seconds):
    one = {"CacheNodeType": "cache.t3.micro", "ProductDescription": "redis", "OfferingType": "No Upfront"}
    (offer,) = cache.describe_reserved_cache_nodes_offerings(Duration=duration, **one)["ReservedCacheNodesOfferings"]
    assert offer["Duration"] == seconds


def test_a_reservation_takes_tags(cache, offering):
    bought = cache.purchase_reserved_cache_nodes_offering(
        ReservedCacheNodesOfferingId=offering, Tags=[{"Key": "team", "Value": "x"}]
    )["ReservedCacheNode"]

    found = cache.list_tags_for_resource(ResourceName=bought["ReservationARN"])

    assert found["TagList"] == [{"Key": "team", "Value": "x"}]
