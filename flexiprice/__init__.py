"""FlexiPrice: the pricing engine that keeps perishable goods out of the bin."""
