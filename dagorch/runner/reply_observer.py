"""Reports what a reply says beside its text to the core. It makes no decisions."""

from __future__ import annotations

import warnings
from collections.abc import Callable

from dagorch.errors import BudgetWarning, OverloadedError, ProviderError, RateLimitedError
from dagorch.http.foreign import bounded_number
from dagorch.models.llm import LLMResponse
from dagorch.models.rates import RateLimits
from dagorch.ports import ReplyListener
from dagorch.runner.core_access import CoreAccess
from dagorch.scheduler import stimuli
from dagorch.scheduler.budget import LEAST_COST
from dagorch.scheduler.events import describe
from dagorch.scheduler.records import Call, StartAttempt

__all__ = ["ReplyObserver"]


class ReplyObserver(ReplyListener):
    """
    Observes the reply to one provider call.

    It reports to the core when the reply begins, if that matters for rate limits, and every rate
    limit that the service sends: in its headers, with the response, or with a refusal.

    Args:
        ticket: The attempt or call that the reply belongs to.
        on_text: Called with each piece of text.
        core: Where to report.
        clock: Returns the time in seconds.

    Attributes:
        on_accepted: Called when the reply begins.
    """

    __slots__ = ("_clock", "_core", "_has_rates", "_ticket", "on_accepted")

    def __init__(
        self,
        ticket: StartAttempt | Call,
        on_text: Callable[[str], None],
        core: CoreAccess,
        clock: Callable[[], float],
    ) -> None:
        super().__init__(on_text, self._began, self._may_resend)
        self._ticket = ticket
        self._core = core
        self._clock = clock
        self._has_rates = False
        self.on_accepted: Callable[[], None] | None = None
        prepared = ticket.prepared
        if prepared is not None:
            self.needs_cost = prepared.worst.cost_usd == LEAST_COST
            self.has_share = prepared.is_shortened or bool(prepared.shorter)

    def _began(self, rates: RateLimits | None) -> None:
        if self.on_accepted is not None:
            self.on_accepted()
        self._report(rates)

    def _report(
        self,
        rates: RateLimits | None,
        pause_seconds: float | None = None,
        *,
        refused: bool = False,
    ) -> None:
        self._has_rates = rates is not None
        permit = self._ticket.permit
        if permit is not None and (
            refused or rates is not None or pause_seconds is not None or permit.needs_reply_time
        ):
            now = self._clock()
            self._core.feed(
                stimuli.ReplyBegan(self._ticket, now, rates, pause_seconds, refused=refused)
            )

    def _may_resend(self) -> bool:
        return self._core.request_resend(self._ticket)

    def complete(self, response: LLMResponse) -> None:
        """Report the rate limits of a response that its beginning did not have."""
        self._ticket.response = response
        if not self.answered or (response.rate_limits is not None and not self._has_rates):
            self.answered = True
            self._report(response.rate_limits)

    def warn_if_cut(self, response: LLMResponse) -> None:
        """Warn of a reply that was cut off at its share; it is billed by now."""
        prepared = self._ticket.prepared
        if prepared is not None and prepared.is_shortened and response.finish_reason == "length":
            path = self._ticket.path
            warnings.warn(
                f"node {path!r}: the reply was cut off at {prepared.request.max_tokens:,} tokens, "
                "its share of the run's ceiling; raise the ceiling, or set max_tokens",
                BudgetWarning,
                stacklevel=2,
            )

    def failed(self, error: BaseException) -> None:
        """Report the rate limits of a failure, and the pause that the service asks for."""
        self._ticket.response = describe(error)
        if not isinstance(error, ProviderError):
            return
        pause = None
        if isinstance(error, RateLimitedError | OverloadedError):
            wait = bounded_number(error.retry_after_seconds)
            pause = None if wait is None else float(wait)
        rates = error.rate_limits if isinstance(error.rate_limits, RateLimits) else None
        # 529 is Anthropic's status for overloaded.
        refused = isinstance(error, RateLimitedError) or error.status in (503, 529)
        if refused or rates is not None or pause is not None:
            self.answered = True
            self._report(rates, pause, refused=refused)
