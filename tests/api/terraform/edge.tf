# The edge of a VPC as people write it: prefix lists in routes and rules, and a gateway whose table leads to a middlebox.

terraform {
  required_providers {
    aws = { source = "hashicorp/aws" }
  }
}

provider "aws" {}

resource "aws_vpc" "main" {
  cidr_block = "10.0.0.0/16"
}

resource "aws_internet_gateway" "door" {
  vpc_id = aws_vpc.main.id
}

resource "aws_subnet" "box" {
  vpc_id     = aws_vpc.main.id
  cidr_block = "10.0.0.0/24"
}

resource "aws_subnet" "web" {
  vpc_id     = aws_vpc.main.id
  cidr_block = "10.0.1.0/24"
}

resource "aws_ec2_managed_prefix_list" "offices" {
  name           = "offices"
  address_family = "IPv4"
  max_entries    = 5

  entry {
    cidr        = "198.51.100.0/24"
    description = "home"
  }
  entry {
    cidr        = aws_vpc.main.cidr_block
    description = "here"
  }
  tags = { Name = "offices" }
}

resource "aws_ec2_managed_prefix_list" "grown" {
  name           = "grown"
  address_family = "IPv4"
  max_entries    = 3
}

resource "aws_ec2_managed_prefix_list_entry" "grown" {
  for_each       = toset(["203.0.113.0/25", "203.0.113.128/25"])
  cidr           = each.value
  prefix_list_id = aws_ec2_managed_prefix_list.grown.id
}

resource "aws_ec2_managed_prefix_list" "six" {
  name           = "six"
  address_family = "IPv6"
  max_entries    = 1
}

data "aws_ec2_managed_prefix_list" "s3" {
  name = "com.amazonaws.us-east-1.s3"
}

data "aws_prefix_list" "dynamodb" {
  name = "com.amazonaws.us-east-1.dynamodb"
}

resource "aws_network_interface" "box" {
  subnet_id         = aws_subnet.box.id
  source_dest_check = false
}

resource "aws_eip" "box" {
  domain            = "vpc"
  network_interface = aws_network_interface.box.id
  depends_on        = [aws_internet_gateway.door]
}

resource "aws_route_table" "box" {
  vpc_id = aws_vpc.main.id
  route {
    cidr_block = "0.0.0.0/0"
    gateway_id = aws_internet_gateway.door.id
  }
  route {
    destination_prefix_list_id = data.aws_ec2_managed_prefix_list.s3.id
    gateway_id                 = aws_internet_gateway.door.id
  }
}

resource "aws_route_table" "web" {
  vpc_id = aws_vpc.main.id
}

resource "aws_route" "offices" {
  route_table_id             = aws_route_table.web.id
  destination_prefix_list_id = aws_ec2_managed_prefix_list.offices.id
  network_interface_id       = aws_network_interface.box.id
}

resource "aws_route" "between" {
  route_table_id         = aws_route_table.web.id
  destination_cidr_block = aws_subnet.box.cidr_block
  network_interface_id   = aws_network_interface.box.id
}

resource "aws_route_table" "edge" {
  vpc_id = aws_vpc.main.id
  route {
    cidr_block           = aws_subnet.web.cidr_block
    network_interface_id = aws_network_interface.box.id
  }
}

resource "aws_route_table_association" "edge" {
  gateway_id     = aws_internet_gateway.door.id
  route_table_id = aws_route_table.edge.id
}

resource "aws_route_table_association" "box" {
  subnet_id      = aws_subnet.box.id
  route_table_id = aws_route_table.box.id
}

resource "aws_route_table_association" "web" {
  subnet_id      = aws_subnet.web.id
  route_table_id = aws_route_table.web.id
}

resource "aws_security_group" "web" {
  name   = "web"
  vpc_id = aws_vpc.main.id

  ingress {
    from_port       = 443
    to_port         = 443
    protocol        = "tcp"
    prefix_list_ids = [aws_ec2_managed_prefix_list.offices.id]
  }
}

resource "aws_vpc_security_group_egress_rule" "dynamodb" {
  security_group_id = aws_security_group.spare.id
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443
  prefix_list_id    = data.aws_prefix_list.dynamodb.id
}

resource "aws_security_group" "spare" {
  name   = "spare"
  vpc_id = aws_vpc.main.id
}
