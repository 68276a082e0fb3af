# Flow logs of a VPC in a bucket, of a subnet in a log group, and of an interface with fields of its own choice.

resource "aws_vpc" "logged" {
  cidr_block = "10.60.0.0/16"
  tags       = { Name = "logged" }
}

resource "aws_subnet" "logged" {
  vpc_id     = aws_vpc.logged.id
  cidr_block = "10.60.1.0/24"
}

resource "aws_network_interface" "logged" {
  subnet_id = aws_subnet.logged.id
}

resource "aws_flow_log" "vpc" {
  vpc_id               = aws_vpc.logged.id
  traffic_type         = "ALL"
  log_destination_type = "s3"
  log_destination      = "arn:aws:s3:::my-logs/team"

  destination_options {
    file_format                = "plain-text"
    hive_compatible_partitions = true
    per_hour_partition         = true
  }

  tags = { Name = "everything" }
}

resource "aws_cloudwatch_log_group" "rejected" {
  name              = "/aws/vpc-flow-log/rejected"
  retention_in_days = 30
  log_group_class   = "STANDARD"
  tags              = { Name = "rejected" }
}

resource "aws_flow_log" "subnet" {
  subnet_id                = aws_subnet.logged.id
  traffic_type             = "REJECT"
  log_destination          = aws_cloudwatch_log_group.rejected.arn
  iam_role_arn             = "arn:aws:iam::000000000000:role/flow-logs"
  max_aggregation_interval = 60
}

resource "aws_flow_log" "interface" {
  eni_id          = aws_network_interface.logged.id
  traffic_type    = "ACCEPT"
  log_destination = "arn:aws:logs:us-east-1:000000000000:log-group:accepted"
  iam_role_arn    = "arn:aws:iam::000000000000:role/flow-logs"
  log_format      = "$${interface-id} $${srcaddr} $${dstaddr} $${flow-direction} $${tcp-flags}"
}
