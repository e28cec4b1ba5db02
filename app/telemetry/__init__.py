"""What a gateway tells of itself: logs, metrics, traces, and what is noted of the request that is being answered.

Whoever runs it reads this, and so do others: no secret, no query text, no variable, no name or address of a person goes
into any of it. Everybody may use it; it knows nothing of ours.
"""

from app.telemetry.logs import JsonFormatter, flush_logs, log, logger, set_up_logging

__all__ = ["JsonFormatter", "flush_logs", "log", "logger", "set_up_logging"]
