"""An account that would have its words become the configuration of an engine, which runs outside of instances."""

import pytest
from botocore.exceptions import ClientError

from atoll.cache.config import server_text
from tests.api.conftest import cache, paper  # noqa: F401
from tests.cache.test_config import plan

LINE = "A\nloadmodule /tmp/mine.so"


@pytest.mark.parametrize("value", [LINE, "A\rx", "A x", '"A', "A\\", "q", "A\u2028x"])
def test_no_parameter_takes_what_is_a_line_of_a_configuration(cache, value):  # noqa: F811
    cache.create_cache_parameter_group(
        CacheParameterGroupName="g", CacheParameterGroupFamily="valkey8", Description="x"
    )

    with pytest.raises(ClientError, match="is invalid"):
        cache.modify_cache_parameter_group(
            CacheParameterGroupName="g",
            ParameterNameValues=[{"ParameterName": "notify-keyspace-events", "ParameterValue": value}],
        )


def test_no_value_of_another_installations_world_is_a_line_of_a_configuration():
    node = plan(parameters=(("notify-keyspace-events", LINE),))

    lines = server_text(node, directory="/d", socket="/d/s", password="secret").splitlines()

    assert "notify-keyspace-events A loadmodule /tmp/mine.so" in lines, "which the engine refuses"
    assert not [line for line in lines if line.startswith("loadmodule")]
