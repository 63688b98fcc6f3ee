"""What the runner hears of a reply beside its text, told to the core; nothing is decided here."""

from __future__ import annotations

from collections.abc import Callable

from dagorch.errors import OverloadedError, ProviderError, RateLimitedError
from dagorch.models.llm import LLMResponse
from dagorch.models.rates import RateLimits
from dagorch.ports import ReplyListener
from dagorch.scheduler import stimuli
from dagorch.scheduler.commands import Call, StartAttempt
from dagorch.scheduler.run_state import describe
from dagorch.scheduler.stimuli import Stimulus

__all__ = ["ReplyObserver"]


class ReplyObserver(ReplyListener):
    """
    Hears one exchange of an attempt or a call.

    The core is told when the reply begins where it counts, and whatever the service says of its
    limits: in its headers, with the answer, with its refusal.

    Args:
        ticket: What the exchange is for.
        on_text: Gets the text.
        feed: Takes stimuli.
        clock: Seconds.
    """

    __slots__ = ("_clock", "_feed", "_knows_rates", "_ticket")

    def __init__(
        self,
        ticket: StartAttempt | Call,
        on_text: Callable[[str], None],
        feed: Callable[[Stimulus], None],
        clock: Callable[[], float],
    ) -> None:
        super().__init__(on_text, self._tell, self._ask)
        self._ticket = ticket
        self._feed = feed
        self._clock = clock
        self._knows_rates = False

    def _tell(
        self,
        rates: RateLimits | None,
        pause_seconds: float | None = None,
        *,
        refused: bool = False,
    ) -> None:
        self._knows_rates = rates is not None
        permit = self._ticket.permit
        if permit is not None and (
            refused or rates is not None or pause_seconds is not None or permit.counts
        ):
            now = self._clock()
            self._feed(stimuli.ReplyBegan(self._ticket, now, rates, pause_seconds, refused=refused))

    def _ask(self) -> bool:
        asked = stimuli.SendingAgain(self._ticket, self._clock())
        self._feed(asked)
        return asked.granted

    def complete(self, response: LLMResponse) -> None:
        """Hear what an answer says that was not heard when it began."""
        self._ticket.heard = response
        if not self.answered or (response.rate_limits is not None and not self._knows_rates):
            self.answered = True
            self._tell(response.rate_limits)

    def failed(self, error: BaseException) -> None:
        """Hear what a refusal says: also the pause that a service asks for."""
        self._ticket.heard = describe(error)
        if not isinstance(error, ProviderError):
            return
        pause = None
        if isinstance(error, RateLimitedError | OverloadedError):
            pause = error.retry_after_seconds
        rates = error.rate_limits if isinstance(error.rate_limits, RateLimits) else None
        # 529 is Anthropic's word for overloaded.
        refused = isinstance(error, RateLimitedError) or error.status in (503, 529)
        if refused or rates is not None or pause is not None:
            self.answered = True
            self._tell(rates, pause, refused=refused)
