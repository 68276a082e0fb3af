"""Caches, load balancers, logs and alarms: which argument of Terraform is which parameter of AWS."""

from typing import Any

from atoll.recipe.hcl import Block, Item
from atoll.recipe.terraform_rows import (
    TAGS,
    Change,
    Many,
    Parameters,
    Row,
    Table,
    Target,
    absent,
    block,
    flat,
    same,
    table,
)


def _deliveries(value: Any) -> list[Item]:
    found: list[Item] = []
    for one in value:
        details = one.get("DestinationDetails", {})
        target = details.get("CloudWatchLogsDetails", {}).get("LogGroup") or details.get(
            "KinesisFirehoseDetails", {}).get("DeliveryStream", "")  # fmt: skip
        body = (("destination", target), ("destination_type", one.get("DestinationType", "cloudwatch-logs")),
            ("log_format", one.get("LogFormat", "json")), ("log_type", one.get("LogType", "slow-log")))  # fmt: skip
        found.append(Block("log_delivery_configuration", (), body))
    return found


_EITHER: dict[str, Target] = {
    "CacheNodeType": "node_type", "CacheParameterGroupName": "parameter_group_name", "CacheSubnetGroupName":
    "subnet_group_name", "PreferredMaintenanceWindow": "maintenance_window", "LogDeliveryConfigurations": _deliveries,
    **same("Engine EngineVersion Port SecurityGroupIds SnapshotArns SnapshotName SnapshotRetentionLimit "
        "SnapshotWindow NotificationTopicArn AutoMinorVersionUpgrade NetworkType IpDiscovery "
        "TransitEncryptionEnabled ApplyImmediately"),
}  # fmt: skip
_CLUSTER: dict[str, Target] = {**_EITHER,
    **same("NumCacheNodes PreferredAvailabilityZones ReplicationGroupId"),
    "AZMode": "az_mode", "PreferredAvailabilityZone": "availability_zone",
    "NewAvailabilityZones": "preferred_availability_zones",
    **absent("CacheSecurityGroupNames CacheNodeIdsToRemove NotificationTopicStatus")}  # fmt: skip
_GROUP: dict[str, Target] = {**_EITHER,
    "ReplicationGroupDescription": "description", "MultiAZEnabled": "multi_az_enabled",
    "PreferredCacheClusterAZs": "preferred_cache_cluster_azs",
    **same("NumCacheClusters NumNodeGroups ReplicasPerNodeGroup AutomaticFailoverEnabled AuthToken "
        "AtRestEncryptionEnabled KmsKeyId TransitEncryptionMode UserGroupIds DataTieringEnabled ClusterMode "
        "GlobalReplicationGroupId AuthTokenUpdateStrategy"),
    **absent("CacheSecurityGroupNames PrimaryClusterId NodeGroupConfiguration NodeGroupId RemoveUserGroups "
        "SnapshottingClusterId UserGroupIdsToAdd UserGroupIdsToRemove NotificationTopicStatus")}  # fmt: skip
_LIMITS = block("cache_usage_limits", {
    "DataStorage": block("data_storage", same("Minimum Maximum Unit")),
    "ECPUPerSecond": block("ecpu_per_second", same("Minimum Maximum"))})  # fmt: skip
_SERVERLESS: dict[str, Target] = {"ServerlessCacheName": "name", "CacheUsageLimits": _LIMITS,
    **same("Engine MajorEngineVersion Description SubnetIds SecurityGroupIds UserGroupId KmsKeyId "
        "SnapshotRetentionLimit DailySnapshotTime SnapshotArnsToRestore"),
    **absent("ConnectionType NetworkType RemoveUserGroup")}  # fmt: skip
_PARAMETER = block("parameter", {"ParameterName": "name", "ParameterValue": "value"})
_USER: dict[str, Target] = {**same("UserId UserName AccessString Engine NoPasswordRequired Passwords"),
    "AuthenticationMode": block("authentication_mode", same("Type Passwords"))}  # fmt: skip

ELASTICACHE: Table = table("elasticache", {
    "CreateCacheCluster": Row("aws_elasticache_cluster", {
        "CacheClusterId": "cluster_id", **_CLUSTER, **TAGS}, "CacheClusterId"),
    "ModifyCacheCluster": Change("aws_elasticache_cluster", "CacheClusterId", _CLUSTER),
    "CreateReplicationGroup": Row("aws_elasticache_replication_group", {
        "ReplicationGroupId": "replication_group_id", **_GROUP, **TAGS}, "ReplicationGroupId"),
    "ModifyReplicationGroup": Change("aws_elasticache_replication_group", "ReplicationGroupId", _GROUP),
    "ModifyReplicationGroupShardConfiguration": Change("aws_elasticache_replication_group", "ReplicationGroupId", {
        "NodeGroupCount": "num_node_groups", "ApplyImmediately": "apply_immediately",
        **absent("ReshardingConfiguration NodeGroupsToRemove NodeGroupsToRetain")}),
    "CreateServerlessCache": Row("aws_elasticache_serverless_cache", {**_SERVERLESS, **TAGS}, "ServerlessCacheName"),
    "ModifyServerlessCache": Change("aws_elasticache_serverless_cache", "ServerlessCacheName", _SERVERLESS),
    "CreateCacheSubnetGroup": Row("aws_elasticache_subnet_group", {
        "CacheSubnetGroupName": "name", "CacheSubnetGroupDescription": "description", **same("SubnetIds"), **TAGS},
        "CacheSubnetGroupName"),
    "ModifyCacheSubnetGroup": Change("aws_elasticache_subnet_group", "CacheSubnetGroupName", {
        "CacheSubnetGroupDescription": "description", **same("SubnetIds")}),
    "CreateCacheParameterGroup": Row("aws_elasticache_parameter_group", {
        "CacheParameterGroupName": "name", "CacheParameterGroupFamily": "family", **same("Description"), **TAGS},
        "CacheParameterGroupName"),
    "ModifyCacheParameterGroup": Change("aws_elasticache_parameter_group", "CacheParameterGroupName", {
        "ParameterNameValues": _PARAMETER}),
    "CreateUser": Row("aws_elasticache_user", {**_USER, **TAGS}, "UserId"),
    "ModifyUser": Change("aws_elasticache_user", "UserId", {**_USER, **absent("AppendAccessString")}),
    "CreateUserGroup": Row("aws_elasticache_user_group", {
        **same("UserGroupId Engine UserIds"), **TAGS}, "UserGroupId"),
    "CreateGlobalReplicationGroup": Row("aws_elasticache_global_replication_group", {
        **same("GlobalReplicationGroupIdSuffix GlobalReplicationGroupDescription PrimaryReplicationGroupId")},
        "GlobalReplicationGroupIdSuffix"),
    "PurchaseReservedCacheNodesOffering": Row("aws_elasticache_reserved_cache_node", {
        "ReservedCacheNodeId": "id", **same("ReservedCacheNodesOfferingId CacheNodeCount"), **TAGS}),
})  # fmt: skip


def _targets(parameters: Parameters) -> list[dict[str, Any]]:
    group = parameters.get("TargetGroupArn", "")
    return [{"TargetGroupArn": group, **target} for target in parameters.get("Targets", [])]


_HEALTH: dict[str, Target] = {"HealthCheckEnabled": "enabled", "HealthCheckIntervalSeconds": "interval",
    "HealthCheckPath": "path",
    "HealthCheckPort": "port", "HealthCheckProtocol": "protocol", "HealthCheckTimeoutSeconds": "timeout",
    "HealthyThresholdCount": "healthy_threshold", "UnhealthyThresholdCount": "unhealthy_threshold",
    "Matcher": flat({"HttpCode": "matcher", "GrpcCode": "matcher"})}  # fmt: skip
_CHECK, _CHECKED = block("health_check", _HEALTH), ("HealthCheck", frozenset(_HEALTH))
_ACTIONS = block("default_action", same("Type TargetGroupArn Order"))

ELBV2: Table = table("elbv2", {
    "CreateLoadBalancer": Row("aws_lb", {
        "Type": "load_balancer_type", "Scheme": lambda it: [("internal", it == "internal")],
        **same("Name Subnets SecurityGroups IpAddressType"),
        "SubnetMappings": block("subnet_mapping", {
            **same("SubnetId AllocationId"), "PrivateIPv4Address": "private_ipv4_address",
            "IPv6Address": "ipv6_address"}), **TAGS}, "Name"),
    "CreateTargetGroup": Row("aws_lb_target_group", {
        **same("Name Port Protocol VpcId TargetType IpAddressType"), "HealthCheck": _CHECK,
        **TAGS}, "Name", gather=_CHECKED),
    "ModifyTargetGroup": Change("aws_lb_target_group", "TargetGroupArn", {"HealthCheck": _CHECK}, gather=_CHECKED),
    "CreateListener": Row("aws_lb_listener", {
        **same("LoadBalancerArn Port Protocol"), "DefaultActions": _ACTIONS, **TAGS}),
    "ModifyListener": Change("aws_lb_listener", "ListenerArn", {**same("Port Protocol"), "DefaultActions": _ACTIONS}),
    "RegisterTargets": Many(Row("aws_lb_target_group_attachment", {
        **same("TargetGroupArn Port AvailabilityZone"), "Id": "target_id"}), _targets),
    "SetSubnets": Change("aws_lb", "LoadBalancerArn", {
        **same("Subnets IpAddressType"), **absent("SubnetMappings")}),
    "SetSecurityGroups": Change("aws_lb", "LoadBalancerArn", {
        **same("SecurityGroups EnforceSecurityGroupInboundRulesOnPrivateLinkTraffic")}),
})  # fmt: skip

_ALARM = same("AlarmName AlarmDescription ActionsEnabled AlarmActions InsufficientDataActions MetricName Namespace "
    "Period Statistic Threshold TreatMissingData Unit ComparisonOperator EvaluationPeriods "
    "DatapointsToAlarm")  # fmt: skip

OTHERS: Table = {
    ("logs", "CreateLogGroup"): Row("aws_cloudwatch_log_group", {
        "logGroupName": "name", "logGroupClass": "log_group_class", "tags": "tags"}, "logGroupName"),
    ("logs", "PutRetentionPolicy"): Change("aws_cloudwatch_log_group", "logGroupName", {
        "retentionInDays": "retention_in_days"}),
    ("cloudwatch", "PutMetricAlarm"): Row("aws_cloudwatch_metric_alarm", {
        **_ALARM, "OKActions": "ok_actions", "Dimensions": lambda them: [
            ("dimensions", {one.get("Name", ""): one.get("Value", "") for one in them})], **TAGS}, "AlarmName"),
}  # fmt: skip
