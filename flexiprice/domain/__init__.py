"""The pure core: policy + batch + day -> quote. No I/O, no clock."""
