# A replication group over two zones that fails over by itself.
terraform {
  required_providers {
    aws = { source = "hashicorp/aws" }
  }
}
provider "aws" {}
variable "members" { default = 2 }
resource "aws_vpc" "main" {
  cidr_block = "10.0.0.0/16"
}
resource "aws_subnet" "near" {
  vpc_id            = aws_vpc.main.id
  cidr_block        = "10.0.1.0/24"
  availability_zone = "us-east-1a"
}
resource "aws_subnet" "far" {
  vpc_id            = aws_vpc.main.id
  cidr_block        = "10.0.2.0/24"
  availability_zone = "us-east-1b"
}
resource "aws_elasticache_subnet_group" "both" {
  name       = "both"
  subnet_ids = [aws_subnet.near.id, aws_subnet.far.id]
}
resource "aws_elasticache_replication_group" "sessions" {
  replication_group_id       = "sessions"
  description                = "sessions"
  engine                     = "valkey"
  node_type                  = "cache.t3.micro"
  num_cache_clusters         = var.members
  automatic_failover_enabled = var.members > 1
  multi_az_enabled           = var.members > 1
  subnet_group_name          = aws_elasticache_subnet_group.both.name
  apply_immediately          = true
}
output "primary" { value = aws_elasticache_replication_group.sessions.primary_endpoint_address }
output "reader" { value = aws_elasticache_replication_group.sessions.reader_endpoint_address }
