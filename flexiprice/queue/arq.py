"""Re-exports everything that FlexiPrice uses of arq. No other module imports arq.

arq is in maintenance mode and caps redis-py below 6. We use its message format of jobs and results, the
names of its keys, its Redis client, and its command, whose loop ticks the schedules. If arq were abandoned,
only this module and `workers.runtime.arq_*` would change.
"""

from arq.connections import ArqRedis, RedisSettings
from arq.constants import (
    abort_jobs_ss,
    default_queue_name,
    in_progress_key_prefix,
    job_key_prefix,
    result_key_prefix,
    retry_key_prefix,
)
from arq.cron import CronJob
from arq.jobs import (
    DeserializationError,
    Job,
    JobDef,
    JobResult,
    SerializationError,
    deserialize_job,
    deserialize_job_raw,
    deserialize_result,
    serialize_job,
    serialize_result,
)
from arq.utils import timestamp_ms, to_ms, to_unix_ms
from arq.worker import Function, JobExecutionFailed

__all__ = [
    "ArqRedis",
    "CronJob",
    "DeserializationError",
    "Function",
    "Job",
    "JobDef",
    "JobExecutionFailed",
    "JobResult",
    "RedisSettings",
    "SerializationError",
    "abort_jobs_ss",
    "default_queue_name",
    "deserialize_job",
    "deserialize_job_raw",
    "deserialize_result",
    "in_progress_key_prefix",
    "job_key_prefix",
    "result_key_prefix",
    "retry_key_prefix",
    "serialize_job",
    "serialize_result",
    "timestamp_ms",
    "to_ms",
    "to_unix_ms",
]
