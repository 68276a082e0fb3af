# The documented scenario as people write it: a VPC, a NAT instance, a Memcached cluster and a Valkey replication group.
terraform {
  required_providers {
    aws = { source = "hashicorp/aws" }
  }
}
provider "aws" {}
data "aws_availability_zones" "all" { state = "available" }
data "aws_ami" "nat" {
  most_recent = true
  owners      = ["amazon"]
  filter {
    name   = "name"
    values = ["amzn-ami-vpc-nat-*"]
  }
}
resource "aws_vpc" "main" {
  cidr_block = "10.0.0.0/16"
  tags       = { Name = "scenario" }
}
resource "aws_subnet" "public" {
  vpc_id            = aws_vpc.main.id
  cidr_block        = "10.0.0.0/24"
  availability_zone = data.aws_availability_zones.all.names[0]
}
resource "aws_subnet" "private" {
  vpc_id            = aws_vpc.main.id
  cidr_block        = "10.0.1.0/24"
  availability_zone = data.aws_availability_zones.all.names[0]
}
resource "aws_internet_gateway" "igw" { vpc_id = aws_vpc.main.id }
resource "aws_route_table" "public" {
  vpc_id = aws_vpc.main.id
  route {
    cidr_block = "0.0.0.0/0"
    gateway_id = aws_internet_gateway.igw.id
  }
}
resource "aws_route_table_association" "public" {
  subnet_id      = aws_subnet.public.id
  route_table_id = aws_route_table.public.id
}
resource "aws_network_acl" "private" {
  vpc_id     = aws_vpc.main.id
  subnet_ids = [aws_subnet.private.id]
  ingress {
    rule_no    = 100
    protocol   = "tcp"
    action     = "allow"
    cidr_block = "10.0.0.0/16"
    from_port  = 0
    to_port    = 65535
  }
  egress {
    rule_no    = 100
    protocol   = "-1"
    action     = "allow"
    cidr_block = "0.0.0.0/0"
    from_port  = 0
    to_port    = 0
  }
}
resource "aws_security_group" "nat" {
  name   = "nat"
  vpc_id = aws_vpc.main.id
  ingress {
    from_port   = 6379
    to_port     = 6381
    protocol    = "tcp"
    cidr_blocks = ["198.51.100.27/32"]
  }
  egress {
    from_port   = 0
    to_port     = 0
    protocol    = "-1"
    cidr_blocks = ["0.0.0.0/0"]
  }
}
resource "aws_security_group" "cache" {
  name   = "cache"
  vpc_id = aws_vpc.main.id
}
resource "aws_security_group_rule" "cache" {
  type                     = "ingress"
  from_port                = 6379
  to_port                  = 6379
  protocol                 = "tcp"
  security_group_id        = aws_security_group.cache.id
  source_security_group_id = aws_security_group.nat.id
}
resource "aws_instance" "nat" {
  ami                    = data.aws_ami.nat.id
  instance_type          = "m1.small"
  subnet_id              = aws_subnet.public.id
  private_ip             = "10.0.0.55"
  source_dest_check      = false
  vpc_security_group_ids = [aws_security_group.nat.id]
  tags                   = { Name = "nat" }
}
resource "aws_eip" "nat" {
  domain     = "vpc"
  instance   = aws_instance.nat.id
  depends_on = [aws_internet_gateway.igw]
}
resource "aws_elasticache_subnet_group" "private" {
  name       = "private"
  subnet_ids = [aws_subnet.private.id]
}
resource "aws_elasticache_cluster" "memcached" {
  cluster_id         = "sessions"
  engine             = "memcached"
  node_type          = "cache.t3.micro"
  num_cache_nodes    = 2
  subnet_group_name  = aws_elasticache_subnet_group.private.name
  security_group_ids = [aws_security_group.cache.id]
}
resource "aws_elasticache_replication_group" "valkey" {
  replication_group_id = "orders"
  description          = "orders"
  engine               = "valkey"
  node_type            = "cache.t3.micro"
  num_cache_clusters   = 2
  subnet_group_name    = aws_elasticache_subnet_group.private.name
  security_group_ids   = [aws_security_group.cache.id]
}
output "primary" { value = aws_elasticache_replication_group.valkey.primary_endpoint_address }
output "nat" { value = aws_instance.nat.id }
