# Two VPCs of one account and region, peered: routes both ways, names, and a rule that names the peer's group.

terraform {
  required_providers {
    aws = { source = "hashicorp/aws" }
  }
}

provider "aws" {}

resource "aws_vpc" "cache" {
  cidr_block           = "10.20.0.0/16"
  enable_dns_hostnames = true
}

resource "aws_vpc" "app" {
  cidr_block           = "10.21.0.0/16"
  enable_dns_hostnames = true
}

resource "aws_vpc_peering_connection" "peer" {
  vpc_id      = aws_vpc.app.id
  peer_vpc_id = aws_vpc.cache.id
  auto_accept = true

  accepter {
    allow_remote_vpc_dns_resolution = true
  }

  requester {
    allow_remote_vpc_dns_resolution = true
  }

  tags = {
    Name = "app to cache"
  }
}

resource "aws_route" "to_cache" {
  route_table_id            = aws_vpc.app.main_route_table_id
  destination_cidr_block    = aws_vpc.cache.cidr_block
  vpc_peering_connection_id = aws_vpc_peering_connection.peer.id
}

resource "aws_route" "to_app" {
  route_table_id            = aws_vpc.cache.main_route_table_id
  destination_cidr_block    = aws_vpc.app.cidr_block
  vpc_peering_connection_id = aws_vpc_peering_connection.peer.id
}

resource "aws_security_group" "peer_app" {
  name        = "peer-app"
  description = "what asks the cache"
  vpc_id      = aws_vpc.app.id
}

resource "aws_security_group" "peer_cache" {
  name        = "peer-cache"
  description = "the cache"
  vpc_id      = aws_vpc.cache.id

  ingress {
    from_port       = 6379
    to_port         = 6379
    protocol        = "tcp"
    security_groups = [aws_security_group.peer_app.id]
  }

  depends_on = [aws_vpc_peering_connection.peer]
}

resource "aws_vpc_security_group_egress_rule" "peer_app" {
  security_group_id            = aws_security_group.peer_app.id
  referenced_security_group_id = aws_security_group.peer_cache.id
  ip_protocol                  = "tcp"
  from_port                    = 6379
  to_port                      = 6379
}

data "aws_vpc_peering_connection" "found" {
  id = aws_vpc_peering_connection.peer.id
}

output "peering_status" {
  value = data.aws_vpc_peering_connection.found.status
}
