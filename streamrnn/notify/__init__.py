"""Alerts that arrive: from the log of alerts to Alertmanager, webhooks, chat and mail."""
