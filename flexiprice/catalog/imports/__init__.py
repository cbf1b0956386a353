"""Imports of products and batches from the files that other systems export.

`files` opens a file and yields records, and `notation` reads their cells. Here, columns are matched to
fields, and `importer` stages and merges the rows. The upload endpoint and `flexiprice import` use `importer`;
both share its options and messages.
"""
