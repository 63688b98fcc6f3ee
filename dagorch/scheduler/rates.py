"""
The rates of one service: how much of them is used, and when there is room again.

Pure: time is passed in. Who waits, and in what order, is in `admission.py`.

A client cannot know how a service counts: in fixed windows, in sliding ones, or with a token
bucket. All three accept a client that keeps to the limit in *every* window. So a charge counts
from the moment the exchange is sent until one window after its reply began: the service counted
it somewhere in between.
"""

from __future__ import annotations

import math
from collections import deque
from typing import Final

from dagorch.errors import InvariantError
from dagorch.models.limits import TOKEN_KINDS, Demand, Limits
from dagorch.models.rates import RateLimits, RateWindow
from dagorch.models.usage import NOTHING_USED, Usage

__all__ = ["MAX_PAUSE_SECONDS", "Charge", "SlidingWindowLog"]

MAX_PAUSE_SECONDS: Final = 600.0
"""A longer pause means that a quota is used up; waiting for it would look like a hang. Calls are
sent all the same, and each fails with the service's own error."""
_NEVER: Final = float("inf")
_MIN_DENSITY: Final = 0.25
"""Tokens per byte that a prompt has at least; English has a little less."""
_MARGIN: Final = 1.1
"""Factor on the density of earlier prompts, since the next one may be denser."""
_FADING: Final = 0.9
"""The weight of earlier prompts beside the last one."""


class Charge:
    """What one exchange was charged."""

    __slots__ = ("demand", "expires_at", "output", "prompt", "serial")

    def __init__(self, demand: Demand, prompt: int, serial: int) -> None:
        self.serial = serial
        self.demand = demand
        self.prompt = prompt
        self.output = demand.output_tokens
        self.expires_at: float | None = None
        """When it no longer counts; None until its reply begins."""

    def of(self, kind: str) -> int:
        """Return what it was charged of one kind of tokens."""
        return _tokens_of(kind, self.prompt, self.output)


def _tokens_of(kind: str, prompt: int, output: int) -> int:
    """Return the tokens of a prompt and a response that a limit on one kind counts."""
    match kind:
        case "input_tokens":
            return prompt
        case "output_tokens":
            return output
        case _:
            return prompt + output


class ReportedLimit:
    """One limit as the service's headers report it: so much remains until a time."""

    __slots__ = ("latest", "limit", "period", "remaining", "until")

    def __init__(self) -> None:
        self.limit: int | None = None
        self.remaining: float = _NEVER
        self.until = -_NEVER
        self.latest = 0
        """How many exchanges had been sent when a report was last taken as it is."""
        self.period = 0.0
        """The longest time to a reset that was reported."""

    def report(
        self, window: RateWindow, in_flight: int, serial: int, sent: int, now: float
    ) -> None:
        """
        Update from the reply to an exchange.

        The service may or may not have counted what is in flight; it is taken as not counted,
        and the replies to come correct that. Replies overtake each other, so of exchanges that
        were in flight together none may raise what another one reported.
        """
        if window.limit is not None:
            self.limit = window.limit
        if window.remaining is None or window.reset_seconds is None:
            return
        if window.reset_seconds > MAX_PAUSE_SECONDS:
            self.remaining, self.until = _NEVER, -_NEVER
            return
        self.period = max(self.period, window.reset_seconds)
        remaining = window.remaining - in_flight
        until = now + window.reset_seconds
        if serial <= self.latest:
            self.remaining = min(self.remaining, remaining)
            self.until = max(self.until, until)
        else:
            self.remaining, self.until, self.latest = remaining, until, sent

    def available_at(self, need: int, in_flight: int, now: float) -> float:
        """Return when an exchange that needs so much fits."""
        if self.remaining == _NEVER:
            return now
        if now >= self.until:  # the window was reset, without a report since
            if self.limit is None or not self.period:
                self.remaining = _NEVER
                return now
            self.remaining = self.limit - in_flight
            self.until = now + self.period
        # Whether more than the limit fits at all is left to the service.
        bounded = need if self.limit is None else min(need, self.limit)
        return now if bounded <= self.remaining else self.until


class SlidingWindowLog:
    """
    The requests and tokens that a service, or one model of it, was charged in the last window.

    Example:
        >>> window = SlidingWindowLog(Limits(requests=1, window_seconds=60))
        >>> charge = window.charge(Demand(), now=0.0)
        >>> window.available_at(Demand(), now=1.0)
        inf
        >>> window.reply_began(charge, now=2.0)
        >>> window.available_at(Demand(), now=3.0)
        62.0
    """

    __slots__ = (
        "_bounds", "_in_flight", "_in_flight_output", "_in_flight_prompt", "_log",
        "_logged_output", "_logged_prompt", "_reported", "_seen_bytes", "_seen_tokens", "limits",
        "paused_until", "sent",
    )  # fmt: skip

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.paused_until = -_NEVER
        self.sent = 0
        """How many exchanges were ever sent."""
        self._bounds = [
            (kind, bound) for kind in TOKEN_KINDS if (bound := getattr(limits, kind)) is not None
        ]
        """The limits on tokens."""
        self._log: deque[Charge] = deque()
        """Charges whose replies have begun, in the order in which they expire."""
        self._logged_prompt = self._logged_output = 0
        self._in_flight = self._in_flight_prompt = self._in_flight_output = 0
        """Charges whose replies have not begun, and their tokens."""
        self._seen_bytes = self._seen_tokens = 0.0
        self._reported: dict[str, ReportedLimit] = {}

    @property
    def has_limits(self) -> bool:
        """Whether the user stated limits, so that the time of a reply counts."""
        return self.limits.requests is not None or bool(self._bounds)

    @property
    def knows_limits(self) -> bool:
        """Whether the user or the service stated limits."""
        return self.has_limits or bool(self._reported)

    def is_idle(self, now: float) -> bool:
        """Return whether nothing is worth remembering."""
        self._expire(now)
        return not (
            self._in_flight
            or self._log
            or self.paused_until > now
            or any(reported.until > now for reported in self._reported.values())
        )

    # -- questions --------------------------------------------------------------------------

    def available_at(self, demand: Demand, now: float) -> float:
        """
        Return the earliest time at which an exchange fits, as far as is known.

        `now` if it fits; infinity if that depends on replies that have not begun. One that needs
        more tokens than any window has fits when nothing else is in the window: it may take less
        in fact, and if not the service says so.
        """
        self._expire(now)
        at = now
        if self.paused_until - now <= demand.patience_seconds:
            at = max(now, self.paused_until)
        limits = self.limits
        if limits.requests is not None:
            over = self._in_flight + len(self._log) + 1 - limits.requests
            if over > 0:
                at = max(at, self._nth_expiry(over))
        if self._bounds or self._reported:
            prompt = self._estimate_prompt(demand)
            for kind, bound in self._bounds:
                logged = _tokens_of(kind, self._logged_prompt, self._logged_output)
                need = min(self._need(kind, demand, prompt), bound)
                over = self._in_flight_of(kind) + logged + need - bound
                if over > 0:
                    at = max(at, self._expiry_of_tokens(kind, over))
            for kind, reported in self._reported.items():
                need = self._need(kind, demand, prompt)
                when = reported.available_at(need, self._in_flight_of(kind), now)
                if when - now <= demand.patience_seconds:
                    at = max(at, when)
        return at

    def _nth_expiry(self, count: int) -> float:
        """Return when that many of the logged charges have expired."""
        if count > len(self._log):
            return _NEVER
        return self._log[count - 1].expires_at or 0.0

    def _expiry_of_tokens(self, kind: str, tokens: int) -> float:
        """Return when so many tokens of a kind have expired."""
        for charge in self._log:
            tokens -= charge.of(kind)
            if tokens <= 0:
                return charge.expires_at or 0.0
        return _NEVER

    def _estimate_prompt(self, demand: Demand) -> int:
        """
        Estimate the prompt's tokens.

        Without earlier prompts a byte counts as a token, which is an upper bound; with them, by
        the density that they really had.
        """
        density = 1.0
        if self._seen_bytes:
            seen = _MARGIN * self._seen_tokens / self._seen_bytes
            density = min(1.0, max(_MIN_DENSITY, seen))
        return math.ceil(demand.prompt_bytes * density)

    def _need(self, kind: str, demand: Demand, prompt: int) -> int:
        return 1 if kind == "requests" else _tokens_of(kind, prompt, demand.output_tokens)

    def _in_flight_of(self, kind: str) -> int:
        if kind == "requests":
            return self._in_flight
        return _tokens_of(kind, self._in_flight_prompt, self._in_flight_output)

    # -- updates ----------------------------------------------------------------------------

    def charge(self, demand: Demand, now: float) -> Charge:
        """Count an exchange that is being sent."""
        prompt = self._estimate_prompt(demand)
        self.sent += 1
        charge = Charge(demand, prompt, self.sent)
        self._in_flight += 1
        self._in_flight_prompt += charge.prompt
        self._in_flight_output += charge.output
        for kind, reported in self._reported.items():
            reported.remaining -= self._need(kind, demand, prompt)
        return charge

    def renew(self, charge: Charge, now: float) -> Charge:
        """Count an exchange that is sent once more."""
        self.reply_began(charge, now)
        return self.charge(charge.demand, now)

    def reply_began(self, charge: Charge, now: float) -> None:
        """Let an exchange's charge expire one window from now."""
        if charge.expires_at is not None:
            return
        self._in_flight -= 1
        self._in_flight_prompt -= charge.prompt
        self._in_flight_output -= charge.output
        charge.expires_at = now
        if self.has_limits:
            charge.expires_at += self.limits.window_seconds
            if self._log:  # runs may read the clock at slightly different moments
                charge.expires_at = max(charge.expires_at, self._log[-1].expires_at or 0.0)
            self._log.append(charge)
            self._logged_prompt += charge.prompt
            self._logged_output += charge.output

    def settle(self, charge: Charge, now: float, usage: Usage = NOTHING_USED) -> None:
        """
        Correct the charge of an exchange that has ended.

        Its prompt is charged as the service counted it, if it did, and output without a
        `max_tokens` is added. Output that was allowed but not written stays charged: services
        that charge for it return it late or never.
        """
        self.reply_began(charge, now)
        if usage.estimated or not usage.input_tokens:
            return
        sent = charge.demand.prompt_bytes
        if sent:
            self._seen_bytes = self._seen_bytes * _FADING + sent
            self._seen_tokens = self._seen_tokens * _FADING + usage.input_tokens
        self._expire(now)
        before = charge.prompt, charge.output
        charge.prompt = usage.input_tokens
        charge.output = charge.output or usage.output_tokens
        if self.has_limits and charge.expires_at is not None and charge.expires_at > now:
            self._logged_prompt += charge.prompt - before[0]
            self._logged_output += charge.output - before[1]

    def report(self, rates: RateLimits, charge: Charge, now: float) -> None:
        """
        Update from what the reply to an exchange says of the service's limits.

        The service knows better than this log: others may use the same account.
        """
        for kind in ("requests", *TOKEN_KINDS):
            window: RateWindow | None = getattr(rates, kind)
            if window is not None:
                reported = self._reported.setdefault(kind, ReportedLimit())
                reported.report(window, self._in_flight_of(kind), charge.serial, self.sent, now)

    def pause(self, seconds: float, now: float) -> None:
        """Send nothing for a while, as a `Retry-After` asks; a pause is never cut short."""
        if seconds <= MAX_PAUSE_SECONDS:
            self.paused_until = max(self.paused_until, now + seconds)

    def _expire(self, now: float) -> None:
        log = self._log
        while log and (log[0].expires_at or 0.0) <= now:
            expired = log.popleft()
            self._logged_prompt -= expired.prompt
            self._logged_output -= expired.output

    def check(self, held: int) -> None:
        """Recount everything. Raises `InvariantError` if a count is wrong."""
        tokens = sum(c.prompt for c in self._log), sum(c.output for c in self._log)
        counted = self._logged_prompt, self._logged_output
        if tokens != counted:
            raise InvariantError(f"{tokens} tokens in and out are in the log, counted {counted}")
        if not 0 <= self._in_flight <= held:
            raise InvariantError(f"{self._in_flight} exchanges await a reply, {held} are held")
        if self._in_flight_prompt < 0 or self._in_flight_output < 0:
            raise InvariantError("the count of tokens in flight is negative")
