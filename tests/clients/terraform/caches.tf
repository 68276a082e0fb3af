# Every kind of cache: sharded with TLS and users, Memcached, serverless; with a parameter group of its own.
terraform {
  required_providers {
    aws = { source = "hashicorp/aws" }
  }
}
provider "aws" {}
variable "policy" { default = "allkeys-lru" }
variable "nodes" { default = 2 }
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
resource "aws_security_group" "cache" {
  vpc_id = aws_vpc.main.id
  ingress {
    from_port   = 6379
    to_port     = 6380
    protocol    = "tcp"
    cidr_blocks = ["10.0.0.0/16"]
  }
}
resource "aws_elasticache_subnet_group" "both" {
  name       = "both"
  subnet_ids = [aws_subnet.near.id, aws_subnet.far.id]
}
resource "aws_elasticache_parameter_group" "sharded" {
  name   = "sharded"
  family = "valkey9"
  parameter {
    name  = "cluster-enabled"
    value = "yes"
  }
  parameter {
    name  = "maxmemory-policy"
    value = var.policy
  }
  parameter {
    name  = "timeout"
    value = "0" # the default
  }
}
resource "aws_elasticache_user" "default" {
  user_id       = "off"
  user_name     = "default"
  engine        = "valkey"
  access_string = "off -@all"
  authentication_mode {
    type      = "password"
    passwords = ["nobody-comes-in-by-this"]
  }
}
resource "aws_elasticache_user" "app" {
  user_id       = "app"
  user_name     = "app"
  engine        = "valkey"
  access_string = "on ~* +@all"
  authentication_mode {
    type      = "password"
    passwords = ["a-password-of-the-app"]
  }
}
resource "aws_elasticache_user_group" "team" {
  user_group_id = "team"
  engine        = "valkey"
  user_ids      = [aws_elasticache_user.default.user_id, aws_elasticache_user.app.user_id]
}
resource "aws_elasticache_replication_group" "sharded" {
  replication_group_id       = "sharded"
  description                = "sharded"
  engine                     = "valkey"
  node_type                  = "cache.t3.micro"
  num_node_groups            = 2
  replicas_per_node_group    = 1
  automatic_failover_enabled = true
  multi_az_enabled           = true
  transit_encryption_enabled = true
  at_rest_encryption_enabled = true
  snapshot_retention_limit   = 1
  parameter_group_name       = aws_elasticache_parameter_group.sharded.name
  subnet_group_name          = aws_elasticache_subnet_group.both.name
  security_group_ids         = [aws_security_group.cache.id]
  user_group_ids             = [aws_elasticache_user_group.team.user_group_id]
  apply_immediately          = true
}
resource "aws_elasticache_cluster" "memcached" {
  cluster_id           = "memcached"
  engine               = "memcached"
  node_type            = "cache.t3.micro"
  num_cache_nodes      = var.nodes
  az_mode              = "cross-az"
  subnet_group_name    = aws_elasticache_subnet_group.both.name
  security_group_ids   = [aws_security_group.cache.id]
  apply_immediately    = true
}
resource "aws_elasticache_serverless_cache" "burst" {
  name                 = "burst"
  engine               = "valkey"
  major_engine_version = "9"
  subnet_ids           = [aws_subnet.near.id, aws_subnet.far.id]
  security_group_ids   = [aws_security_group.cache.id]
  user_group_id        = aws_elasticache_user_group.team.user_group_id
  cache_usage_limits {
    data_storage {
      maximum = 1
      unit    = "GB"
    }
    ecpu_per_second {
      maximum = 5000
    }
  }
}
output "configuration" { value = aws_elasticache_replication_group.sharded.configuration_endpoint_address }
output "serverless" { value = aws_elasticache_serverless_cache.burst.endpoint[0].address }
output "discovery" { value = aws_elasticache_cluster.memcached.configuration_endpoint }
