"""The CloudWatch API: the metrics of what runs here.  Alarms, dashboards, metric math and logs are not here."""
