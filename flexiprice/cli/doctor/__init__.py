"""The diagnostics behind `flexiprice doctor`. No other command imports them."""
