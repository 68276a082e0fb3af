"""The CloudWatch Logs API: log groups, their streams and events, as far as something here is delivered to them."""
