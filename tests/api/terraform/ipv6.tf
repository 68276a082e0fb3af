# A VPC of both versions: ranges, addresses, both gateways, routes, rules and entries of IPv6.
data "aws_availability_zones" "all" { state = "available" }
resource "aws_vpc" "dual" {
  cidr_block                       = "10.60.0.0/16"
  assign_generated_ipv6_cidr_block = true
}
resource "aws_vpc" "late" {
  cidr_block = "10.61.0.0/16"
  lifecycle { ignore_changes = [assign_generated_ipv6_cidr_block] }
}
resource "aws_vpc_ipv6_cidr_block_association" "late" {
  vpc_id                           = aws_vpc.late.id
  assign_generated_ipv6_cidr_block = true
}
resource "aws_subnet" "public" {
  vpc_id                          = aws_vpc.dual.id
  cidr_block                      = "10.60.0.0/24"
  ipv6_cidr_block                 = cidrsubnet(aws_vpc.dual.ipv6_cidr_block, 8, 1)
  assign_ipv6_address_on_creation = true
  availability_zone               = data.aws_availability_zones.all.names[0]
}
resource "aws_subnet" "private" {
  vpc_id                                         = aws_vpc.dual.id
  cidr_block                                     = "10.60.1.0/24"
  ipv6_cidr_block                                = cidrsubnet(aws_vpc.dual.ipv6_cidr_block, 8, 2)
  enable_resource_name_dns_aaaa_record_on_launch = true
}
resource "aws_internet_gateway" "igw" { vpc_id = aws_vpc.dual.id }
resource "aws_egress_only_internet_gateway" "out" {
  vpc_id = aws_vpc.dual.id
  tags   = { Name = "out" }
}
resource "aws_route_table" "public" {
  vpc_id = aws_vpc.dual.id
  route {
    ipv6_cidr_block = "::/0"
    gateway_id      = aws_internet_gateway.igw.id
  }
}
resource "aws_route_table_association" "public" {
  subnet_id      = aws_subnet.public.id
  route_table_id = aws_route_table.public.id
}
resource "aws_route_table" "private" { vpc_id = aws_vpc.dual.id }
resource "aws_route" "out" {
  route_table_id              = aws_route_table.private.id
  destination_ipv6_cidr_block = "::/0"
  egress_only_gateway_id      = aws_egress_only_internet_gateway.out.id
}
resource "aws_security_group" "web" {
  vpc_id = aws_vpc.dual.id
  ingress {
    protocol         = "tcp"
    from_port        = 443
    to_port          = 443
    ipv6_cidr_blocks = ["::/0"]
  }
  ingress {
    protocol         = "icmpv6"
    from_port        = 128
    to_port          = -1
    ipv6_cidr_blocks = [aws_vpc.dual.ipv6_cidr_block]
  }
  egress {
    protocol         = "-1"
    from_port        = 0
    to_port          = 0
    ipv6_cidr_blocks = ["::/0"]
  }
}
resource "aws_security_group" "bare" { vpc_id = aws_vpc.dual.id }
resource "aws_vpc_security_group_ingress_rule" "ssh" {
  security_group_id = aws_security_group.bare.id
  ip_protocol       = "tcp"
  from_port         = 22
  to_port           = 22
  cidr_ipv6         = "2001:db8:f::/48"
}
resource "aws_network_acl" "edge" {
  vpc_id     = aws_vpc.dual.id
  subnet_ids = [aws_subnet.private.id]
  ingress {
    rule_no         = 7
    action          = "allow"
    protocol        = "-1"
    from_port       = 0
    to_port         = 0
    ipv6_cidr_block = "::/0"
  }
}
resource "aws_network_acl_rule" "ping" {
  network_acl_id  = aws_network_acl.edge.id
  rule_number     = 9
  egress          = true
  rule_action     = "allow"
  protocol        = "58"
  icmp_type       = -1
  icmp_code       = -1
  ipv6_cidr_block = "::/0"
}
resource "aws_network_interface" "two" {
  subnet_id          = aws_subnet.private.id
  ipv6_address_count = 2
}
resource "aws_instance" "web" {
  ami                = data.aws_ami.plain.id
  instance_type      = "t3.micro"
  subnet_id          = aws_subnet.public.id
  ipv6_address_count = 1
  metadata_options { http_protocol_ipv6 = "enabled" }
}
data "aws_ami" "plain" {
  owners      = ["amazon"]
  most_recent = true
  filter {
    name   = "name"
    values = ["amzn2-ami-hvm-*-x86_64-gp2"]
  }
}
