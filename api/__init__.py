"""The HTTP API: application, middleware, routers, schemas, and the monitor.

An entry point: run by uvicorn and by `flexiprice api`; neither `flexiprice` nor `workers` imports it.
"""
