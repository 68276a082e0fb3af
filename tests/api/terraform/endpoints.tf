# PrivateLink as people write it: caches behind a load balancer, offered as a service, and used from another VPC with
# the same range; and endpoints for the API and for S3.

terraform {
  required_providers {
    aws = { source = "hashicorp/aws" }
  }
}

provider "aws" {}

resource "aws_vpc" "provider" {
  cidr_block = "10.0.0.0/16"
}

resource "aws_vpc" "consumer" {
  cidr_block           = "10.0.0.0/16"
  enable_dns_hostnames = true
}

resource "aws_subnet" "provider" {
  for_each          = { a = "10.0.0.0/24", b = "10.0.1.0/24" }
  vpc_id            = aws_vpc.provider.id
  cidr_block        = each.value
  availability_zone = "us-east-1${each.key}"
}

resource "aws_subnet" "consumer" {
  vpc_id            = aws_vpc.consumer.id
  cidr_block        = "10.0.0.0/24"
  availability_zone = "us-east-1a"
}

resource "aws_security_group" "balancer" {
  name   = "balancer"
  vpc_id = aws_vpc.provider.id

  ingress {
    from_port   = 6379
    to_port     = 6379
    protocol    = "tcp"
    cidr_blocks = ["10.0.0.0/16"]
  }
}

resource "aws_lb" "caches" {
  name                             = "caches"
  internal                         = true
  load_balancer_type               = "network"
  subnets                          = [for subnet in aws_subnet.provider : subnet.id]
  security_groups                  = [aws_security_group.balancer.id]
  enable_cross_zone_load_balancing = true
  tags                             = { Name = "caches" }
}

resource "aws_lb_target_group" "caches" {
  name                 = "caches"
  port                 = 6379
  protocol             = "TCP"
  target_type          = "ip"
  vpc_id               = aws_vpc.provider.id
  deregistration_delay = 0

  health_check {
    protocol            = "TCP"
    interval            = 10
    healthy_threshold   = 3
    unhealthy_threshold = 3
  }
}

resource "aws_lb_target_group_attachment" "cache" {
  target_group_arn = aws_lb_target_group.caches.arn
  target_id        = "10.0.0.20"
  port             = 6379
}

resource "aws_lb_listener" "caches" {
  load_balancer_arn = aws_lb.caches.arn
  port              = 6379
  protocol          = "TCP"

  default_action {
    type             = "forward"
    target_group_arn = aws_lb_target_group.caches.arn
  }
}

data "aws_caller_identity" "me" {}

resource "aws_vpc_endpoint_service" "caches" {
  acceptance_required        = true
  network_load_balancer_arns = [aws_lb.caches.arn]
  allowed_principals         = ["arn:aws:iam::${data.aws_caller_identity.me.account_id}:root"]
  tags                       = { Name = "caches" }
}

resource "aws_security_group" "endpoint" {
  name   = "endpoint"
  vpc_id = aws_vpc.consumer.id
}

resource "aws_vpc_endpoint" "caches" {
  vpc_id             = aws_vpc.consumer.id
  service_name       = aws_vpc_endpoint_service.caches.service_name
  vpc_endpoint_type  = "Interface"
  subnet_ids         = [aws_subnet.consumer.id]
  security_group_ids = [aws_security_group.endpoint.id]
  tags               = { Name = "caches" }
}

resource "aws_vpc_endpoint_connection_accepter" "caches" {
  vpc_endpoint_service_id = aws_vpc_endpoint_service.caches.id
  vpc_endpoint_id         = aws_vpc_endpoint.caches.id
}

resource "aws_vpc_endpoint" "api" {
  vpc_id              = aws_vpc.consumer.id
  service_name        = "com.amazonaws.us-east-1.elasticache"
  vpc_endpoint_type   = "Interface"
  subnet_ids          = [aws_subnet.consumer.id]
  private_dns_enabled = true
}

resource "aws_route_table" "consumer" {
  vpc_id = aws_vpc.consumer.id
}

resource "aws_vpc_endpoint" "objects" {
  vpc_id       = aws_vpc.consumer.id
  service_name = "com.amazonaws.us-east-1.s3"
}

resource "aws_vpc_endpoint_route_table_association" "objects" {
  vpc_endpoint_id = aws_vpc_endpoint.objects.id
  route_table_id  = aws_route_table.consumer.id
}
