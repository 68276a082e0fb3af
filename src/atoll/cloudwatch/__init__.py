"""The CloudWatch API: the metrics of what runs here, and alarms on them.  Dashboards and metric math are not here."""
