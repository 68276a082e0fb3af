"""An alarm over what a real engine says, through a crash of the daemon."""

import pytest

from tests.daemon.atoll import running, until

pytestmark = [pytest.mark.kernel, pytest.mark.engines]


def test_an_alarm_is_raised_by_a_real_node_and_outlives_the_daemon():
    with running(started=False) as atoll:
        atoll.up("--metrics-seconds", "1")
        cache, cloudwatch = atoll.client("elasticache"), atoll.client("cloudwatch")
        cache.create_cache_cluster(
            CacheClusterId="mem", Engine="memcached", CacheNodeType="cache.t3.micro", NumCacheNodes=1
        )
        over = {
            "Namespace": "AWS/ElastiCache", "MetricName": "CurrConnections", "Statistic": "Maximum", "Period": 10,
            "Dimensions": [{"Name": "CacheClusterId", "Value": "mem"}], "EvaluationPeriods": 1,
            "ComparisonOperator": "GreaterThanOrEqualToThreshold",
        }  # fmt: skip
        cloudwatch.put_metric_alarm(AlarmName="some", Threshold=1.0, **over)
        cloudwatch.put_metric_alarm(AlarmName="many", Threshold=1000.0, **over)

        def states():
            return {alarm["AlarmName"]: alarm["StateValue"] for alarm in cloudwatch.describe_alarms()["MetricAlarms"]}

        until(lambda: states() == {"some": "ALARM", "many": "OK"}, 60.0, "a whole period")
        atoll.kill()
        atoll.up("--metrics-seconds", "1")

        assert states() == {"some": "ALARM", "many": "OK"}
        told = cloudwatch.describe_alarm_history(AlarmName="some", HistoryItemType="StateUpdate")["AlarmHistoryItems"]
        assert [item["HistorySummary"] for item in told] == ["Alarm updated from INSUFFICIENT_DATA to ALARM"]
