"""What can be made to go wrong in the stand-in Google Cloud: the catalogue. What a stroke does is written where the
normal course is (`world`, `fleet`, `rate_faults`, `worker_pool_routes`, `object_storage_routes`).
"""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType

from emulator.faults import Description, Faults, Parameter, at_a_rate, on_occasion, per_minute, seconds, share

WORKER_POOLS = "https://cloud.google.com/run/docs/reference/rest/v2/projects.locations.workerPools"
CONTRACT = "https://cloud.google.com/run/docs/container-contract"
QUOTAS = "https://cloud.google.com/run/quotas"
ERRORS = "https://cloud.google.com/apis/design/errors#handling_errors"
ETAGS = "https://google.aip.dev/154"
STORAGE_QUOTAS = "https://cloud.google.com/storage/quotas#objects"
STORAGE_ERRORS = "https://cloud.google.com/storage/docs/json_api/v1/status-codes"
STORAGE_PRECONDITIONS = "https://cloud.google.com/storage/docs/request-preconditions"
ASSUMED = "assumed: Google promises nothing here"


class Fault(StrEnum):
    SLOW_START = "slow-start"
    FAILED_START = "failed-start"
    CPU_QUOTA = "cpu-quota"
    WRITE_QUOTA = "write-quota"
    STALE_ETAG = "stale-etag"
    UNAVAILABLE = "unavailable"
    REPLY_LOST = "reply-lost"
    PATCH_TWICE = "patch-twice"
    OPERATION_STUCK = "operation-stuck"
    OPERATION_FAILED = "operation-failed"
    SETTLED_EARLY = "settled-early"
    LATE_EFFECT = "late-effect"
    INSTANCE_DIES = "instance-dies"
    INSTANCE_PREEMPTED = "instance-preempted"
    EARLY_REPLACEMENT = "early-replacement"
    FOREIGN_WRITE = "foreign-write"
    POOL_DELETED = "pool-deleted"
    STORAGE_WRITE_RATE = "storage-write-rate"
    STORAGE_UNAVAILABLE = "storage-unavailable"
    STORAGE_REPLY_LOST = "storage-reply-lost"
    STORAGE_SLOW = "storage-slow"
    STORAGE_RACED = "storage-raced"


CloudFaults = Faults[Fault]

CATALOGUE: Mapping[Fault, Description] = MappingProxyType(
    {
        Fault.SLOW_START: on_occasion("A container's process starts so much later.", ASSUMED, seconds(30)),
        Fault.FAILED_START: on_occasion(
            "A container ends with 1 before its process runs, and is replaced.", CONTRACT, share(0.5)
        ),
        Fault.CPU_QUOTA: on_occasion(
            (
                "A write that asks for more instances is accepted, but starts none: its operation fails "
                "with `CpuAllocPerProjectRegion … allowed: 0`."
            ),
            QUOTAS,
            share(1),
            aimed=True,
        ),
        Fault.WRITE_QUOTA: Description(
            sentence="Writes above so many a minute are refused with 429, if that is less than the quota.",
            source=QUOTAS,
            parameters=(Parameter(name="writes_per_minute", default=30, whole=True),),
            aimed=True,
        ),
        Fault.STALE_ETAG: on_occasion(
            "The worker pool changes just before a write with an etag, which is refused with 409.",
            ETAGS,
            share(0.3),
            aimed=True,
        ),
        Fault.UNAVAILABLE: on_occasion(
            "A call of the Admin API is answered with 503, and nothing is done.", ERRORS, share(0.3)
        ),
        Fault.REPLY_LOST: on_occasion(
            "A write is done, and the connection breaks without a reply.", ERRORS, share(0.3)
        ),
        Fault.PATCH_TWICE: on_occasion(
            "A count that was written is written once more, later, whatever has been written since.",
            ASSUMED,
            seconds(5),
        ),
        Fault.OPERATION_STUCK: on_occasion(
            (
                "A write takes effect, but its operation and every later one of the worker pool are not "
                "done for so long."
            ),
            ASSUMED,
            seconds(300),
            aimed=True,
        ),
        Fault.OPERATION_FAILED: on_occasion(
            "A written count takes no effect, and its operation fails with INTERNAL.",
            ERRORS,
            share(0.3),
            aimed=True,
        ),
        Fault.SETTLED_EARLY: on_occasion(
            (
                "The operation of a lowered count is done and settled at once, while its victims get "
                "their SIGTERM so much later."
            ),
            ASSUMED,
            seconds(5),
        ),
        Fault.LATE_EFFECT: on_occasion(
            "A written count takes effect so long after its operation was done and settled.",
            ASSUMED,
            seconds(3),
        ),
        Fault.INSTANCE_DIES: at_a_rate(
            "A running instance, any of them, gets SIGKILL without a warning.", CONTRACT, per_minute(1)
        ),
        Fault.INSTANCE_PREEMPTED: at_a_rate(
            (
                "The platform takes a running instance, any of them, away: SIGTERM, SIGKILL ten seconds later, "
                "and another in its place."
            ),
            CONTRACT,
            per_minute(1),
        ),
        Fault.EARLY_REPLACEMENT: at_a_rate(
            (
                "A running instance, any of them, is moved: the new one is decided at once, the old one "
                "gets SIGTERM so much later."
            ),
            CONTRACT,
            per_minute(1),
            seconds(5),
        ),
        Fault.FOREIGN_WRITE: at_a_rate(
            "Another hand sets the count of any worker pool to any number up to `most_instances`.",
            WORKER_POOLS,
            per_minute(1),
            Parameter(name="most_instances", default=2, whole=True),
        ),
        Fault.POOL_DELETED: at_a_rate(
            "Another hand deletes a worker pool, any of them, with whatever runs in it.",
            f"{WORKER_POOLS}/delete",
            per_minute(1),
        ),
        Fault.STORAGE_WRITE_RATE: Description(
            sentence="Writes of one object in Cloud Storage above so many a second are refused with 429.",
            source=STORAGE_QUOTAS,
            parameters=(Parameter(name="writes_per_second", default=1, least=0.001),),
        ),
        Fault.STORAGE_UNAVAILABLE: on_occasion(
            "A call of Cloud Storage is answered with 503, and nothing is done.", STORAGE_ERRORS, share(0.3)
        ),
        Fault.STORAGE_REPLY_LOST: on_occasion(
            "A write to Cloud Storage is done, and the connection breaks without a reply.",
            STORAGE_ERRORS,
            share(0.3),
        ),
        Fault.STORAGE_SLOW: on_occasion(
            "A call of Cloud Storage is done, and its reply held back for so long.",
            STORAGE_ERRORS,
            seconds(10),
            share(0.1),
        ),
        Fault.STORAGE_RACED: on_occasion(
            "Another hand writes an object anew, unchanged, just before a write with its generation, which is refused with 412.",
            STORAGE_PRECONDITIONS,
            share(0.3),
        ),
    }
)
