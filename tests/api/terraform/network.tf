# Every resource of a VPC that the provider knows and Atoll supports, as people write them.
terraform {
  required_providers {
    aws = { source = "hashicorp/aws" }
  }
}
provider "aws" {
  skip_region_validation = true
  default_tags { tags = { managed = "tf" } }
}
data "aws_availability_zones" "all" { state = "available" }
data "aws_vpc" "default" { default = true }
data "aws_region" "here" {}
resource "aws_vpc" "main" {
  cidr_block           = "10.0.0.0/16"
  enable_dns_hostnames = true
  tags                 = { Name = "main" }
  lifecycle { ignore_changes = [tags, tags_all] }
}
resource "aws_vpc_dhcp_options" "d" {
  domain_name         = "example.internal"
  domain_name_servers = ["AmazonProvidedDNS"]
}
resource "aws_vpc_dhcp_options_association" "d" {
  vpc_id          = aws_vpc.main.id
  dhcp_options_id = aws_vpc_dhcp_options.d.id
}
resource "aws_subnet" "public" {
  vpc_id                  = aws_vpc.main.id
  cidr_block              = "10.0.0.0/24"
  availability_zone       = data.aws_availability_zones.all.names[0]
  map_public_ip_on_launch = true
}
resource "aws_subnet" "private" {
  vpc_id            = aws_vpc.main.id
  cidr_block        = "10.0.1.0/24"
  availability_zone = data.aws_availability_zones.all.names[1]
}
resource "aws_internet_gateway" "igw" { vpc_id = aws_vpc.main.id }
resource "aws_internet_gateway" "loose" {}
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
resource "aws_route_table" "private" { vpc_id = aws_vpc.main.id }
resource "aws_route" "nat" {
  route_table_id         = aws_route_table.private.id
  destination_cidr_block = "0.0.0.0/0"
  network_interface_id   = aws_network_interface.nat.id
}
resource "aws_main_route_table_association" "m" {
  vpc_id         = aws_vpc.main.id
  route_table_id = aws_route_table.private.id
}
resource "aws_network_interface" "nat" {
  subnet_id         = aws_subnet.public.id
  private_ips       = ["10.0.0.55", "10.0.0.56"]
  security_groups   = [aws_security_group.nat.id]
  source_dest_check = false
  description       = "nat"
}
resource "aws_eip" "nat" {
  domain                    = "vpc"
  network_interface         = aws_network_interface.nat.id
  associate_with_private_ip = "10.0.0.55"
  depends_on                = [aws_internet_gateway.igw]
}
resource "aws_eip" "free" { domain = "vpc" }
resource "aws_eip_association" "two" {
  allocation_id        = aws_eip.free.id
  network_interface_id = aws_network_interface.nat.id
  private_ip_address   = "10.0.0.56"
}
resource "aws_security_group" "nat" {
  name        = "nat"
  description = "nat"
  vpc_id      = aws_vpc.main.id
  ingress {
    from_port   = 6379
    to_port     = 6381
    protocol    = "tcp"
    cidr_blocks = ["198.51.100.27/32", "198.51.100.28/32"]
    description = "clients"
  }
  ingress {
    from_port   = 8
    to_port     = -1
    protocol    = "icmp"
    cidr_blocks = ["10.0.0.0/8"]
  }
  ingress {
    from_port = 0
    to_port   = 0
    protocol  = "-1"
    self      = true
  }
  ingress {
    from_port   = 0
    to_port     = 0
    protocol    = "50"
    cidr_blocks = ["10.0.0.0/8"]
  }
  egress {
    from_port        = 0
    to_port          = 0
    protocol         = "-1"
    cidr_blocks      = ["0.0.0.0/0"]
    ipv6_cidr_blocks = ["::/0"]
  }
}
resource "aws_security_group" "cache" {
  name_prefix = "cache-"
  vpc_id      = aws_vpc.main.id
  tags        = { Name = "cache" }
}
resource "aws_security_group_rule" "c" {
  security_group_id        = aws_security_group.cache.id
  type                     = "ingress"
  from_port                = 6379
  to_port                  = 6379
  protocol                 = "tcp"
  source_security_group_id = aws_security_group.nat.id
}
resource "aws_vpc_security_group_ingress_rule" "v" {
  security_group_id = aws_security_group.cache.id
  ip_protocol       = "tcp"
  from_port         = 22
  to_port           = 22
  cidr_ipv4         = "10.0.0.0/8"
  description       = "ssh"
  tags              = { Name = "ssh" }
}
resource "aws_vpc_security_group_ingress_rule" "g" {
  security_group_id            = aws_security_group.cache.id
  ip_protocol                  = "udp"
  from_port                    = 53
  to_port                      = 53
  referenced_security_group_id = aws_security_group.nat.id
}
resource "aws_vpc_security_group_egress_rule" "v" {
  security_group_id = aws_security_group.cache.id
  ip_protocol       = "-1"
  cidr_ipv4         = "0.0.0.0/0"
}
resource "aws_vpc_security_group_egress_rule" "v6" {
  security_group_id = aws_security_group.cache.id
  ip_protocol       = "-1"
  cidr_ipv6         = "::/0"
}
resource "aws_default_security_group" "d" { vpc_id = aws_vpc.main.id }
resource "aws_default_network_acl" "d" {
  default_network_acl_id = aws_vpc.main.default_network_acl_id
  ingress {
    rule_no    = 100
    protocol   = -1
    action     = "allow"
    cidr_block = "0.0.0.0/0"
    from_port  = 0
    to_port    = 0
  }
  lifecycle { ignore_changes = [subnet_ids, tags, tags_all] }
}
resource "aws_network_acl" "a" {
  vpc_id     = aws_vpc.main.id
  subnet_ids = [aws_subnet.private.id]
  ingress {
    rule_no    = 100
    protocol   = "tcp"
    action     = "allow"
    cidr_block = "10.0.0.0/16"
    from_port  = 6379
    to_port    = 6379
  }
  ingress {
    rule_no    = 110
    protocol   = "icmp"
    action     = "deny"
    cidr_block = "0.0.0.0/0"
    icmp_type  = 8
    icmp_code  = -1
    from_port  = 0
    to_port    = 0
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
resource "aws_network_acl" "b" { vpc_id = aws_vpc.main.id }
resource "aws_network_acl_rule" "b" {
  network_acl_id = aws_network_acl.b.id
  rule_number    = 200
  protocol       = "udp"
  rule_action    = "allow"
  cidr_block     = "0.0.0.0/0"
  from_port      = 1024
  to_port        = 65535
}
resource "aws_network_acl_association" "b" {
  network_acl_id = aws_network_acl.b.id
  subnet_id      = aws_subnet.public.id
}
resource "aws_ec2_tag" "t" {
  resource_id = aws_vpc.main.id
  key         = "extra"
  value       = "1"
}
data "aws_subnets" "s" {
  filter {
    name   = "vpc-id"
    values = [aws_vpc.main.id]
  }
  depends_on = [aws_subnet.private]
}
data "aws_security_group" "s" { id = aws_security_group.cache.id }
data "aws_route_table" "r" { subnet_id = aws_route_table_association.public.subnet_id }
data "aws_internet_gateway" "i" {
  filter {
    name   = "attachment.vpc-id"
    values = [aws_internet_gateway.igw.vpc_id]
  }
}
data "aws_eip" "e" { id = aws_eip.nat.id }
data "aws_network_interface" "n" { id = aws_network_interface.nat.id }
