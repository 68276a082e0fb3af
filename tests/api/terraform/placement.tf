# Placement groups of every strategy, and an instance in one.

terraform {
  required_providers {
    aws = { source = "hashicorp/aws" }
  }
}

provider "aws" {}

data "aws_ami" "linux" {
  most_recent = true
  owners      = ["amazon"]
  filter {
    name   = "name"
    values = ["al2023-ami-2023*-x86_64"]
  }
}

resource "aws_placement_group" "cluster" {
  name     = "cluster"
  strategy = "cluster"
}

resource "aws_placement_group" "spread" {
  name     = "spread"
  strategy = "spread"
}

resource "aws_placement_group" "partition" {
  name            = "partition"
  strategy        = "partition"
  partition_count = 3
  tags            = { team = "web" }
}

resource "aws_instance" "member" {
  ami                        = data.aws_ami.linux.id
  instance_type              = "t3.micro"
  placement_group            = aws_placement_group.partition.name
  placement_partition_number = 2
}
