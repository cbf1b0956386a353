"""Commands on stores, products and batches. `flexiprice up` and `demo` import the sample catalogue."""
