# Instances as people write them: the NAT instance of the guide, and every option that Atoll supports.

terraform {
  required_providers {
    aws = { source = "hashicorp/aws" }
  }
}

provider "aws" {}

data "aws_caller_identity" "me" {}

data "aws_ami" "nat" {
  most_recent = true
  owners      = ["amazon"]
  filter {
    name   = "name"
    values = ["amzn-ami-vpc-nat-*"]
  }
}

data "aws_ami" "linux" {
  most_recent = true
  owners      = ["amazon"]
  filter {
    name   = "name"
    values = ["al2023-ami-2023*-x86_64"]
  }
}

resource "aws_vpc" "main" {
  cidr_block = "10.0.0.0/16"
  tags       = { Name = "main" }
}

resource "aws_subnet" "public" {
  vpc_id            = aws_vpc.main.id
  cidr_block        = "10.0.0.0/24"
  availability_zone = "us-east-1a"
}

resource "aws_internet_gateway" "door" {
  vpc_id = aws_vpc.main.id
}

resource "aws_security_group" "nat" {
  name   = "nat"
  vpc_id = aws_vpc.main.id
}

resource "aws_key_pair" "me" {
  key_name   = "me"
  public_key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIIQlFYVnCUhmTONRJpzjGHXvCC1gFqXe8fhCcuKLZ6kG me@home"
  tags       = { team = "net" }
}

resource "aws_instance" "nat" {
  ami                    = data.aws_ami.nat.id
  instance_type          = "t3.micro"
  subnet_id              = aws_subnet.public.id
  private_ip             = "10.0.0.55"
  source_dest_check      = false
  key_name               = aws_key_pair.me.key_name
  vpc_security_group_ids = [aws_security_group.nat.id]
  user_data              = "#!/bin/sh\necho one\n"
  tags                   = { Name = "nat" }
  volume_tags            = { disk = "nat" }
}

resource "aws_eip" "nat" {
  instance   = aws_instance.nat.id
  domain     = "vpc"
  depends_on = [aws_internet_gateway.door]
}

resource "aws_instance" "app" {
  ami                                  = data.aws_ami.linux.id
  instance_type                        = "m5.large"
  subnet_id                            = aws_subnet.public.id
  associate_public_ip_address          = true
  vpc_security_group_ids               = [aws_security_group.nat.id]
  monitoring                           = true
  ebs_optimized                        = true
  instance_initiated_shutdown_behavior = "terminate"
  root_block_device {
    volume_size = 20
    volume_type = "gp3"
    encrypted   = true
    tags        = { disk = "app" }
  }
  metadata_options {
    http_tokens                 = "required"
    http_put_response_hop_limit = 2
    instance_metadata_tags      = "enabled"
  }
}

resource "aws_instance" "burst" {
  ami           = data.aws_ami.linux.id
  instance_type = "t2.micro"
  subnet_id     = aws_subnet.public.id
  credit_specification {
    cpu_credits = "unlimited"
  }
  private_dns_name_options {
    hostname_type = "resource-name"
  }
  maintenance_options {
    auto_recovery = "disabled"
  }
}

resource "aws_network_interface" "own" {
  subnet_id   = aws_subnet.public.id
  private_ips = ["10.0.0.77"]
}

resource "aws_instance" "plugged" {
  ami           = data.aws_ami.linux.id
  instance_type = "t3.small"
  network_interface {
    network_interface_id = aws_network_interface.own.id
    device_index         = 0
  }
}

data "aws_instance" "nat" {
  instance_id = aws_instance.nat.id
}

data "aws_ec2_instance_type" "small" {
  instance_type = "t3.small"
}

data "aws_ec2_instance_type_offerings" "arm" {
  location_type = "availability-zone"
  filter {
    name   = "instance-type"
    values = ["t4g.*"]
  }
}
