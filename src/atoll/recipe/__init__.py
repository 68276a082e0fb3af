"""Recipes: an AWS call written down so that somebody can make it again, as an AWS CLI command and as Terraform."""
