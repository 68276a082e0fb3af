"""Metrics under CloudWatch's names: the samples that the daemon keeps.  Alarms, dashboards and logs are not here."""
