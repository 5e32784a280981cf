"""The Admin API's write quota of one project and region. Pure: the caller brings the time.

https://cloud.google.com/run/quotas: 180 writes a minute and region; projects without history have been given 30.
"""

import math
from collections import deque
from dataclasses import dataclass, field

from emulator.cloud.errors import ResourceExhaustedError

DOCUMENTED_WRITES_PER_MINUTE = 180
WINDOW_SECONDS = 60.0


@dataclass(slots=True, kw_only=True)
class WriteQuota:
    """Counts the writes of the last minute and refuses those above the limit, as Google's front end does."""

    project_number: str
    writes_per_minute: int = DOCUMENTED_WRITES_PER_MINUTE
    _taken_at: deque[float] = field(default_factory=deque)

    def take(self, now: float, *, at_most: float = math.inf) -> None:
        """Counts one write. Raises ResourceExhaustedError when the minute is full; a refused write costs nothing.

        `at_most` is a limit of this moment below the quota's own.
        """
        limit = int(min(self.writes_per_minute, at_most))
        while self._taken_at and self._taken_at[0] <= now - WINDOW_SECONDS:
            self._taken_at.popleft()
        if len(self._taken_at) >= limit:
            raise ResourceExhaustedError(
                "Quota exceeded for quota metric 'Write requests' and limit 'Write requests per minute per region' "
                f"of service 'run.googleapis.com' for consumer 'project_number:{self.project_number}'.",
                details=[
                    {
                        "@type": "type.googleapis.com/google.rpc.ErrorInfo",
                        "reason": "RATE_LIMIT_EXCEEDED",
                        "domain": "googleapis.com",
                        "metadata": {
                            "service": "run.googleapis.com",
                            "consumer": f"projects/{self.project_number}",
                            "quota_metric": "run.googleapis.com/write_requests",
                            "quota_limit": "WritePerMinutePerProjectRegion",
                            "quota_limit_value": str(limit),
                        },
                    }
                ],
            )
        self._taken_at.append(now)
