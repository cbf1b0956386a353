"""The run history: recording, reading and retention of runs, worker fencing, completion receipts.

Imported by the API, the workers, the monitor and the command line. Imports neither `queue` nor `pricing`.
"""
