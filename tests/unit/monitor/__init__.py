"""The monitor's figures, alerts and queries."""
