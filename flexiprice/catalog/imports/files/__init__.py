"""Opens files of any format and yields their records, before any cell is read.

The importer alone uses it, with the layout of a file and the matcher of its columns.
"""
