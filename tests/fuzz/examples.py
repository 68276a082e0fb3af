"""One good call each of operations whose parameters must fit together; the dice alone would rarely meet them.

`@name` stands for a value of that name which an answer told, `+` for a new name, `#` for a number up to 250.
"""

from typing import Any

from tests.fuzz.dice import Dice
from tests.fuzz.grammar import Values

Params = dict[str, Any]
_SG = {"IpPermissions": [{"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}]}
_OTHER = {
    "IpPermissions": [{"IpProtocol": "udp", "FromPort": 53, "ToPort": "#", "IpRanges": [{"CidrIp": "10.#.0.0/16"}]}]
}
_NODE = {"CacheNodeType": "cache.t3.micro", "CacheSubnetGroupName": "private"}
_PARAMETER = "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64"
_METRIC = {"Namespace": "AWS/ElastiCache", "MetricName": "CPUUtilization"}
_WHEN = {"StartTime": 1_795_100_000, "EndTime": 1_795_200_000}

EXAMPLES: dict[str, tuple[Params, ...]] = {
    "ec2:AssignIpv6Addresses": ({"NetworkInterfaceId": "@networkinterfaceid", "Ipv6AddressCount": 1},),
    "ec2:AssignPrivateIpAddresses": (
        {"NetworkInterfaceId": "@networkinterfaceid", "SecondaryPrivateIpAddressCount": 1},
        {"NetworkInterfaceId": "@networkinterfaceid", "PrivateIpAddresses": ["10.0.1.#"]},
    ),
    "ec2:UnassignPrivateIpAddresses": ({"NetworkInterfaceId": "@networkinterfaceid",
        "PrivateIpAddresses": ["@privateipaddress"]},),
    "ec2:AssignPrivateNatGatewayAddress": ({"NatGatewayId": "@natgatewayid", "PrivateIpAddressCount": 1},),
    "ec2:AssociateNatGatewayAddress": ({"NatGatewayId": "@natgatewayid", "AllocationIds": ["@allocationid"]},),
    "ec2:AssociateAddress": (
        {"AllocationId": "@allocationid", "InstanceId": "@instanceid"},
        {"AllocationId": "@allocationid", "NetworkInterfaceId": "@networkinterfaceid", "AllowReassociation": True},
    ),
    "ec2:DisassociateAddress": ({"AssociationId": "@associationid"}, {"PublicIp": "@publicip"}),
    "ec2:AssociateSubnetCidrBlock": ({"SubnetId": "@subnetid", "Ipv6CidrBlock": "@ipv6cidrblock"},),
    "ec2:AttachInternetGateway": ({"InternetGatewayId": "@internetgatewayid", "VpcId": "@vpcid"},),
    "ec2:CreateInternetGateway": ({},),
    "ec2:AttachNetworkInterface": ({"NetworkInterfaceId": "@networkinterfaceid", "InstanceId": "@instanceid",
        "DeviceIndex": 1},),
    "ec2:DetachNetworkInterface": ({"AttachmentId": "@attachmentid", "Force": True},),
    "ec2:AuthorizeSecurityGroupEgress": ({"GroupId": "@groupid", **_SG}, {"GroupId": "@groupid", **_OTHER}),
    "ec2:AuthorizeSecurityGroupIngress": (
        {"GroupId": "@groupid", **_SG}, {"GroupId": "@groupid", **_OTHER},
        {"GroupId": "@groupid", "IpPermissions": [{"IpProtocol": "-1",
         "UserIdGroupPairs": [{"GroupId": "@groupid"}]}]},
        {"GroupId": "@groupid", "IpPermissions": [{"IpProtocol": "-1",
         "PrefixListIds": [{"PrefixListId": "@prefixlistid"}]}]},
        {"GroupId": "@groupid", "IpProtocol": "tcp", "FromPort": "#", "ToPort": 300, "CidrIp": "10.#.0.0/16"},
    ),
    "ec2:RevokeSecurityGroupIngress": ({"GroupId": "@groupid", **_SG}, {"GroupId": "@groupid",
        "SecurityGroupRuleIds": ["@securitygroupruleid"]}),
    "ec2:RevokeSecurityGroupEgress": (
        {"GroupId": "@groupid", "SecurityGroupRuleIds": ["@securitygroupruleid"]},
        {"GroupId": "@groupid", "IpPermissions": [{"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}]},
    ),
    "ec2:ModifySecurityGroupRules": (
        {"GroupId": "@groupid", "SecurityGroupRules": [{"SecurityGroupRuleId": "@securitygroupruleid",
         "SecurityGroupRule": {
            "IpProtocol": "tcp", "FromPort": 1, "ToPort": 2, "CidrIpv4": "10.#.0.0/16"}}]},
    ),
    "ec2:UpdateSecurityGroupRuleDescriptionsIngress": ({"GroupId": "@groupid", **_SG},),
    "ec2:UpdateSecurityGroupRuleDescriptionsEgress": (
        {"GroupId": "@groupid", "IpPermissions": [{"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0",
         "Description": "+"}]}]},
    ),
    "ec2:CreateDhcpOptions": ({"DhcpConfigurations": [{"Key": "domain-name-servers", "Values": ["10.0.0.2"]}]},),
    "ec2:CreateFlowLogs": (
        {"ResourceIds": ["@subnetid"], "ResourceType": "Subnet", "TrafficType": "ALL", "LogGroupName": "/shop/flows",
         "DeliverLogsPermissionArn": "arn:aws:iam::000000000000:role/flows"},
        {"ResourceIds": ["@vpcid"], "ResourceType": "VPC", "TrafficType": "REJECT", "LogDestinationType": "s3",
         "LogDestination": "arn:aws:s3:::+"},
    ),
    "ec2:CreateNatGateway": ({"SubnetId": "@subnetid", "AllocationId": "@allocationid"}, {"SubnetId": "@subnetid",
        "ConnectivityType": "private"}),
    "ec2:CreateNetworkInsightsPath": ({"Source": "@instanceid", "Destination": "@networkinterfaceid",
        "Protocol": "tcp", "DestinationPort": "#"},),
    "ec2:CreateRoute": (
        {"RouteTableId": "@routetableid", "DestinationCidrBlock": "10.#.0.0/16",
         "NetworkInterfaceId": "@networkinterfaceid"},
        {"RouteTableId": "@routetableid", "DestinationCidrBlock": "10.#.0.0/16", "NatGatewayId": "@natgatewayid"},
        {"RouteTableId": "@routetableid", "DestinationCidrBlock": "10.#.0.0/16", "GatewayId": "@internetgatewayid"},
    ),
    "ec2:ReplaceRoute": ({"RouteTableId": "@routetableid", "DestinationCidrBlock": "0.0.0.0/0",
        "NatGatewayId": "@natgatewayid"},),
    "ec2:DeleteRoute": ({"RouteTableId": "@routetableid", "DestinationCidrBlock": "0.0.0.0/0"},),
    "ec2:CreateSubnet": ({"VpcId": "@vpcid", "CidrBlock": "10.0.#.0/28"}, {"VpcId": "@vpcid",
        "CidrBlock": "10.1.#.0/24"}),
    "ec2:CreateVpcEndpoint": (
        {"VpcId": "@vpcid", "ServiceName": "com.amazonaws.us-east-1.s3", "RouteTableIds": ["@routetableid"]},
        {"VpcId": "@vpcid", "ServiceName": "com.amazonaws.us-east-1.elasticache", "VpcEndpointType": "Interface",
         "SubnetIds": ["@subnetid"], "PrivateDnsEnabled": False},
        {"VpcId": "@vpcid", "ServiceName": "@servicename", "VpcEndpointType": "Interface",
         "SubnetIds": ["@subnetid"]},
    ),
    "ec2:CreateVpcEndpointServiceConfiguration": ({"NetworkLoadBalancerArns": ["@loadbalancerarn"],
        "AcceptanceRequired": True},),
    "ec2:ModifyVpcEndpointServiceConfiguration": ({"ServiceId": "@serviceid", "AcceptanceRequired": False},),
    "ec2:ModifyVpcEndpointServicePermissions": ({"ServiceId": "@serviceid",
        "AddAllowedPrincipals": ["arn:aws:iam::222222222222:root", "*"]},),
    "ec2:AcceptVpcEndpointConnections": ({"ServiceId": "@serviceid", "VpcEndpointIds": ["@vpcendpointid"]},),
    "ec2:RejectVpcEndpointConnections": ({"ServiceId": "@serviceid", "VpcEndpointIds": ["@vpcendpointid"]},),
    "ec2:ModifyAvailabilityZoneGroup": ({"GroupName": "us-east-1-atl-1", "OptInStatus": "opted-in"},),
    "ec2:ModifyInstanceAttribute": (
        {"InstanceId": "@instanceid", "Groups": ["@groupid"]}, {"InstanceId": "@instanceid",
         "SourceDestCheck": {"Value": False}},
        {"InstanceId": "@instanceid", "DisableApiTermination": {"Value": False}}, {"InstanceId": "@instanceid",
         "UserData": {"Value": b"#!/bin/sh\n"}},
    ),
    "ec2:ModifyManagedPrefixList": ({"PrefixListId": "@prefixlistid", "CurrentVersion": 1,
        "AddEntries": [{"Cidr": "10.#.0.0/16"}]},),
    "ec2:ModifyNetworkInterfaceAttribute": (
        {"NetworkInterfaceId": "@networkinterfaceid", "Groups": ["@groupid"]},
        {"NetworkInterfaceId": "@networkinterfaceid", "Description": {"Value": "+"}},
        {"NetworkInterfaceId": "@networkinterfaceid", "SourceDestCheck": {"Value": False}},
    ),
    "ec2:ModifyVpcAttribute": ({"VpcId": "@vpcid", "EnableDnsHostnames": {"Value": True}}, {"VpcId": "@vpcid",
        "EnableDnsSupport": {"Value": False}}),
    "ec2:ModifySubnetAttribute": ({"SubnetId": "@subnetid", "MapPublicIpOnLaunch": {"Value": True}},),
    "ec2:ModifyVpcPeeringConnectionOptions": (
        {"VpcPeeringConnectionId": "@vpcpeeringconnectionid",
         "RequesterPeeringConnectionOptions": {"AllowDnsResolutionFromRemoteVpc": True}},
    ),
    "ec2:CreateNetworkAclEntry": (
        {"NetworkAclId": "@networkaclid", "RuleNumber": "#", "Protocol": "6", "RuleAction": "allow", "Egress": False,
         "CidrBlock": "10.#.0.0/16", "PortRange": {"From": 1, "To": 80}},
    ),
    "ec2:ReplaceNetworkAclEntry": ({"NetworkAclId": "@networkaclid", "RuleNumber": 100, "Protocol": "-1",
        "RuleAction": "deny", "Egress": True, "CidrBlock": "0.0.0.0/0"},),
    "ec2:DeleteNetworkAclEntry": ({"NetworkAclId": "@networkaclid", "RuleNumber": 100, "Egress": True},),
    "ec2:ReplaceNetworkAclAssociation": ({"AssociationId": "@networkaclassociationid",
        "NetworkAclId": "@networkaclid"},),
    "ec2:AssociateRouteTable": ({"RouteTableId": "@routetableid", "SubnetId": "@subnetid"},
        {"RouteTableId": "@routetableid", "GatewayId": "@internetgatewayid"}),
    "ec2:DisassociateRouteTable": ({"AssociationId": "@routetableassociationid"},),
    "ec2:ReplaceRouteTableAssociation": ({"AssociationId": "@routetableassociationid",
        "RouteTableId": "@routetableid"},),
    "ec2:RunInstances": (
        {"ImageId": "@imageid", "InstanceType": "t3.micro", "MinCount": 1, "MaxCount": 1, "SubnetId": "@subnetid"},
        {"ImageId": "@imageid", "InstanceType": "t3.small", "MinCount": 1, "MaxCount": 2, "UserData": "IyEvYmluL3No",
         "NetworkInterfaces": [{"DeviceIndex": 0, "SubnetId": "@subnetid", "Groups": ["@groupid"],
         "AssociatePublicIpAddress": True}]},
    ),
    "ec2:ReplaceIamInstanceProfileAssociation": ({"AssociationId": "@associationid",
        "IamInstanceProfile": {"Name": "+"}},),
    "ec2:CreateVpcPeeringConnection": ({"VpcId": "@vpcid", "PeerVpcId": "@vpcid"},),
    "ec2:CreateNetworkInterface": ({"SubnetId": "@subnetid", "Groups": ["@groupid"],
        "PrivateIpAddress": "10.0.1.#"},),
    "ec2:DeleteNetworkInterface": ({"NetworkInterfaceId": "@networkinterfaceid"},),
    "elasticache:AuthorizeCacheSecurityGroupIngress": ({"CacheSecurityGroupName": "@cachesecuritygroupname",
        "EC2SecurityGroupName": "app", "EC2SecurityGroupOwnerId": "000000000000"},),
    "elasticache:CreateCacheSecurityGroup": ({"CacheSecurityGroupName": "+", "Description": "+"},),
    "elasticache:CreateCacheCluster": (
        {"CacheClusterId": "+", "Engine": "memcached", "NumCacheNodes": 1, **_NODE}, {"CacheClusterId": "+",
         "Engine": "valkey", "NumCacheNodes": 1, **_NODE},
        {"CacheClusterId": "+", "ReplicationGroupId": "rg"},
    ),
    "elasticache:CreateReplicationGroup": (
        {"ReplicationGroupId": "+", "ReplicationGroupDescription": "+", "Engine": "valkey", "NumCacheClusters": 2,
         **_NODE},
        {"ReplicationGroupId": "+", "ReplicationGroupDescription": "+", "Engine": "valkey", "NumNodeGroups": 2,
         "ReplicasPerNodeGroup": 1,
         "AutomaticFailoverEnabled": True, "TransitEncryptionEnabled": True, "UserGroupIds": ["people"], **_NODE},
    ),
    "elasticache:CopySnapshot": ({"SourceSnapshotName": "@snapshotname", "TargetSnapshotName": "+"},),
    "elasticache:DeleteSnapshot": ({"SnapshotName": "@snapshotname"},),
    "elasticache:CreateSnapshot": ({"ReplicationGroupId": "@replicationgroupid", "SnapshotName": "+"},),
    "elasticache:CreateServerlessCacheSnapshot": ({"ServerlessCacheName": "burst",
        "ServerlessCacheSnapshotName": "+"},),
    "elasticache:CopyServerlessCacheSnapshot": (
        {"SourceServerlessCacheSnapshotName": "@serverlesscachesnapshotname",
         "TargetServerlessCacheSnapshotName": "+"},
    ),
    "elasticache:CreateGlobalReplicationGroup": ({"GlobalReplicationGroupIdSuffix": "+",
        "PrimaryReplicationGroupId": "@replicationgroupid"},),
    "elasticache:DecreaseReplicaCount": ({"ReplicationGroupId": "@replicationgroupid", "NewReplicaCount": 1,
        "ApplyImmediately": True},),
    "elasticache:IncreaseReplicaCount": ({"ReplicationGroupId": "@replicationgroupid", "NewReplicaCount": 2,
        "ApplyImmediately": True},),
    "elasticache:ModifyReplicationGroupShardConfiguration": ({"ReplicationGroupId": "sharded", "NodeGroupCount": 3,
        "ApplyImmediately": True},),
    "elasticache:ModifyCacheParameterGroup": (
        {"CacheParameterGroupName": "own", "ParameterNameValues": [{"ParameterName": "timeout",
         "ParameterValue": "#"}]},
    ),
    "elasticache:ResetCacheParameterGroup": ({"CacheParameterGroupName": "own", "ResetAllParameters": True},),
    "elasticache:ModifyUserGroup": ({"UserGroupId": "people", "UserIdsToAdd": ["app"]},),
    "elasticache:ModifyUser": ({"UserId": "app", "AccessString": "on ~app* +@read"},),
    "elasticache:AddTagsToResource": ({"ResourceName": "@arn", "Tags": [{"Key": "team", "Value": "+"}]},),
    "elasticache:RemoveTagsFromResource": ({"ResourceName": "@arn", "TagKeys": ["team"]},),
    "elasticache:PrepareMigration": ({"ReplicationGroupId": "rg",
        "CustomerNodeEndpointList": [{"Address": "10.0.1.9", "Port": 6379}]},),
    "elasticache:StartMigration": ({"ReplicationGroupId": "rg", "CustomerNodeEndpointList": [{"Address": "10.0.1.9",
        "Port": 6379}]},),
    "elasticache:TestMigration": ({"ReplicationGroupId": "rg", "CustomerNodeEndpointList": [{"Address": "10.0.1.9",
        "Port": 6379}]},),
    "elasticache:CompleteMigration": ({"ReplicationGroupId": "rg"},),
    "elasticache:TestFailover": ({"ReplicationGroupId": "@replicationgroupid", "NodeGroupId": "0001"},),
    "elbv2:CreateLoadBalancer": ({"Name": "+", "Type": "network", "Scheme": "internal", "Subnets": ["@subnetid"]},),
    "elbv2:CreateTargetGroup": ({"Name": "+", "Protocol": "TCP", "Port": "#", "VpcId": "@vpcid",
        "TargetType": "ip"},),
    "elbv2:CreateListener": (
        {"LoadBalancerArn": "@loadbalancerarn", "Protocol": "TCP", "Port": "#",
         "DefaultActions": [{"Type": "forward", "TargetGroupArn": "@targetgrouparn"}]},
    ),
    "elbv2:DeleteListener": ({"ListenerArn": "@listenerarn"},),
    "elbv2:DescribeListenerAttributes": ({"ListenerArn": "@listenerarn"},),
    "elbv2:ModifyListenerAttributes": ({"ListenerArn": "@listenerarn",
        "Attributes": [{"Key": "tcp.idle_timeout.seconds", "Value": "350"}]},),
    "elbv2:ModifyListener": ({"ListenerArn": "@listenerarn", "Port": "#"},),
    "elbv2:RegisterTargets": ({"TargetGroupArn": "@targetgrouparn", "Targets": [{"Id": "@instanceid"}]},
        {"TargetGroupArn": "@targetgrouparn", "Targets": [{"Id": "10.0.1.#"}]}),
    "elbv2:DeregisterTargets": ({"TargetGroupArn": "@targetgrouparn", "Targets": [{"Id": "@instanceid"}]},),
    "elbv2:ModifyLoadBalancerAttributes": (
        {"LoadBalancerArn": "@loadbalancerarn", "Attributes": [{"Key": "load_balancing.cross_zone.enabled",
         "Value": "true"}]},
    ),
    "elbv2:ModifyTargetGroupAttributes": (
        {"TargetGroupArn": "@targetgrouparn", "Attributes": [{"Key": "deregistration_delay.timeout_seconds",
         "Value": "#"}]},
    ),
    "elbv2:SetSubnets": ({"LoadBalancerArn": "@loadbalancerarn", "Subnets": ["@subnetid"]},),
    "cloudwatch:PutMetricAlarm": (
        {"AlarmName": "+", **_METRIC, "Statistic": "Average", "Period": 60, "EvaluationPeriods": 1, "Threshold": 1.5,
         "ComparisonOperator": "GreaterThanThreshold", "Dimensions": [{"Name": "CacheClusterId", "Value": "one"}]},
    ),
    "cloudwatch:GetMetricData": (
        {"MetricDataQueries": [{"Id": "m1", "MetricStat": {"Metric": _METRIC, "Period": 60, "Stat": "Average"}}],
         **_WHEN},
    ),
    "cloudwatch:GetMetricStatistics": ({**_METRIC, "Period": 60, "Statistics": ["Average"], **_WHEN},),
    "cloudwatch:TagResource": ({"ResourceARN": "@alarmarn", "Tags": [{"Key": "team", "Value": "+"}]},),
    "cloudwatch:UntagResource": ({"ResourceARN": "@alarmarn", "TagKeys": ["team"]},),
    "cloudwatch:ListTagsForResource": ({"ResourceARN": "@alarmarn"},),
    "logs:DescribeLogStreams": ({"logGroupName": "/shop/slow"},),
    "logs:FilterLogEvents": ({"logGroupName": "/shop/slow", "filterPattern": '{ $.a = "b" }'},),
    "ssm:GetParameter": ({"Name": _PARAMETER},),
    "ssm:GetParameters": ({"Names": [_PARAMETER, "+"]},),
    "ssm:GetParametersByPath": ({"Path": _PARAMETER.rpartition("/")[0]},),
    "service-quotas:GetRequestedServiceQuotaChange": ({"RequestId": "@id"},),
}  # fmt: skip


def example(dice: Dice, values: Values, name: str, action: str) -> Params | None:
    """Return a good call's parameters; `None`: there is no example."""
    known = EXAMPLES.get(f"{name}:{action}")
    out: Params | None = _filled(dice, values, dice.choice(known)) if known else None
    return out


def _filled(dice: Dice, values: Values, it: Any) -> Any:
    if isinstance(it, dict):
        return {key: _filled(dice, values, value) for key, value in it.items()}
    if isinstance(it, list):
        return [_filled(dice, values, value) for value in it]
    if not isinstance(it, str) or not it:
        return it
    if it[0] == "@":
        kept = values.get(it[1:])
        return dice.choice(kept) if kept else dice.name()
    if it == "#":
        return dice.randint(1, 250)
    if "#" in it:
        return it.replace("#", str(dice.randint(1, 250)))
    return it.replace("+", dice.name()) if it.endswith("+") else it
