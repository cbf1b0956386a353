"""Imports the files that other systems drop into a directory.

Used by the worker's task `import_dropped_files`, and by the monitor for files that people upload. Entry
points may import it; no package below them does.
"""

from flexiprice.import_folder.outcomes import FileOutcome
from flexiprice.import_folder.records import purge_file_imports
from flexiprice.import_folder.run import FolderSummary, import_folder

__all__ = ["FileOutcome", "FolderSummary", "import_folder", "purge_file_imports"]
