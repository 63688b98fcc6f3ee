"""
One service's rates: how much of them is used, and when there will be room again.

Pure: time comes in with each call. Who waits, and in what order, is `admission.py`'s.

Nobody outside knows how a service counts: in fixed windows that begin when it likes, in sliding
ones, with a bucket that refills. All three permit what keeps to the limit in *every* window. So
a charge counts from the moment the exchange is sent until one window after its reply began: the
service admitted it somewhere in between.
"""

from __future__ import annotations

import math
from collections import deque
from typing import Final

from dagorch.errors import InvariantError
from dagorch.models.limits import TOKEN_KINDS, Demand, Limits
from dagorch.models.rates import RateLimits, RateWindow
from dagorch.models.usage import NOTHING_USED, Usage

__all__ = ["MAX_PAUSE_SECONDS", "Bucket", "Charge"]

MAX_PAUSE_SECONDS: Final = 600.0
"""A longer one is a quota that is used up: to wait for it would be to hang. Calls go out, and
each fails with what the service answers."""
_NEVER: Final = float("inf")
_MIN_DENSITY: Final = 0.25
"""Tokens per byte that are always reckoned with: English has a little less."""
_MARGIN: Final = 1.1
"""On what was seen of earlier prompts, since the next one may be denser."""
_FADING: Final = 0.9
"""What earlier prompts weigh beside the last one."""


class Charge:
    """What one exchange was charged."""

    __slots__ = ("demand", "output", "prompt", "serial", "until")

    def __init__(self, demand: Demand, prompt: int, serial: int) -> None:
        self.serial = serial
        self.demand = demand
        self.prompt = prompt
        self.output = demand.output_tokens
        self.until: float | None = None
        """When it leaves the count; None while its reply has not begun."""

    def of(self, kind: str) -> int:
        """What it was charged of one kind of tokens."""
        return _of(kind, self.prompt, self.output)


def _of(kind: str, prompt: int, output: int) -> int:
    """What counts of a prompt's and an answer's tokens where one kind of them is limited."""
    match kind:
        case "input_tokens":
            return prompt
        case "output_tokens":
            return output
        case _:
            return prompt + output


class _Told:
    """One limit as the service's own headers describe it: so much is left until a time."""

    __slots__ = ("latest", "left", "limit", "period", "until")

    def __init__(self) -> None:
        self.limit: int | None = None
        self.left: float = _NEVER
        self.until = -_NEVER
        self.latest = 0
        """How many exchanges had been sent when a reply was last taken at its word."""
        self.period = 0.0
        """The longest way to a reset that was told of."""

    def hear(self, window: RateWindow, under_way: int, serial: int, sent: int, now: float) -> None:
        """
        Take in what the reply to an exchange says.

        What is under way may or may not have been counted by then; it is taken as not counted,
        which is mended by the reply that it is under way to. Exchanges and their replies overtake
        each other, so of those under way together none can say that more is left than another.
        """
        if window.limit is not None:
            self.limit = window.limit
        if window.remaining is None or window.reset_seconds is None:
            return
        if window.reset_seconds > MAX_PAUSE_SECONDS:
            self.left, self.until = _NEVER, -_NEVER
            return
        self.period = max(self.period, window.reset_seconds)
        left = window.remaining - under_way
        until = now + window.reset_seconds
        if serial <= self.latest:
            self.left, self.until = min(self.left, left), max(self.until, until)
        else:
            self.left, self.until, self.latest = left, until, sent

    def when(self, need: int, under_way: int, now: float) -> float:
        if self.left == _NEVER:
            return now
        if now >= self.until:  # full again, and nothing heard since
            if self.limit is None or not self.period:
                self.left = _NEVER
                return now
            self.left = self.limit - under_way
            self.until = now + self.period
        # More than the service ever permits at once can only be left to its own judgement.
        most = need if self.limit is None else min(need, self.limit)
        return now if most <= self.left else self.until


class Bucket:
    """
    The requests and tokens that a service, or one model of it, was charged in the last window.

    Example:
        >>> bucket = Bucket(Limits(requests=1, window_seconds=60))
        >>> charge = bucket.charge(Demand(), now=0.0)
        >>> bucket.when(Demand(), now=1.0)
        inf
        >>> bucket.answered(charge, now=2.0)
        >>> bucket.when(Demand(), now=3.0)
        62.0
    """

    __slots__ = (
        "_bounds", "_flying", "_flying_output", "_flying_prompt", "_log", "_logged_output",
        "_logged_prompt", "_seen_bytes", "_seen_tokens", "_sent", "_told", "limits",
        "paused_until",
    )  # fmt: skip

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.paused_until = -_NEVER
        self._log: deque[Charge] = deque()
        """Charges whose replies have begun, in the order in which they leave."""
        self._logged_prompt = self._logged_output = 0
        self._bounds = [
            (kind, bound) for kind in TOKEN_KINDS if (bound := getattr(limits, kind)) is not None
        ]
        """What is permitted of which tokens."""
        self._flying = self._flying_prompt = self._flying_output = 0
        """Of charges whose replies have not."""
        self._sent = 0
        """How many ever were."""
        self._seen_bytes = self._seen_tokens = 0.0
        self._told: dict[str, _Told] = {}

    @property
    def sent(self) -> int:
        """How many exchanges ever were."""
        return self._sent

    @property
    def knows(self) -> bool:
        """Whether somebody said what the service permits."""
        return self.counts or bool(self._told)

    @property
    def counts(self) -> bool:
        """Whether it matters to the count when a reply begins."""
        return self.limits.requests is not None or bool(self._bounds)

    def is_idle(self, now: float) -> bool:
        """Whether it knows nothing that still matters."""
        self._expire(now)
        return not (
            self._flying
            or self._log
            or self.paused_until > now
            or any(told.until > now for told in self._told.values())
        )

    # -- asking -----------------------------------------------------------------------------

    def when(self, demand: Demand, now: float) -> float:
        """
        Give the earliest time at which an exchange fits, as far as can be told.

        `now` if it fits; infinity if that hangs on replies which have not begun. One that asks
        for more tokens than any window has fits when nothing else is in the window: what it
        really takes may be less, and if not the service says so.
        """
        self._expire(now)
        at = now
        if self.paused_until - now <= demand.patience_seconds:
            at = max(now, self.paused_until)
        limits = self.limits
        if limits.requests is not None:
            over = self._flying + len(self._log) + 1 - limits.requests
            if over > 0:
                at = max(at, self._moment_of(over))
        if self._bounds or self._told:
            prompt = self._tokens_of(demand)
            for kind, bound in self._bounds:
                logged = _of(kind, self._logged_prompt, self._logged_output)
                need = min(self._need(kind, demand, prompt), bound)
                over = self._under_way(kind) + logged + need - bound
                if over > 0:
                    at = max(at, self._time_until_free(kind, over))
            for kind, told in self._told.items():
                when = told.when(self._need(kind, demand, prompt), self._under_way(kind), now)
                if when - now <= demand.patience_seconds:
                    at = max(at, when)
        return at

    def _moment_of(self, count: int) -> float:
        """When that many of the logged charges have left."""
        if count > len(self._log):
            return _NEVER
        return self._log[count - 1].until or 0.0

    def _time_until_free(self, kind: str, tokens: int) -> float:
        """When so many tokens of a kind have left."""
        for charge in self._log:
            tokens -= charge.of(kind)
            if tokens <= 0:
                return charge.until or 0.0
        return _NEVER

    def _tokens_of(self, demand: Demand) -> int:
        """
        Reckon the prompt's tokens.

        Before anything is known a byte is a token, which none can exceed; then by what earlier
        prompts really took.
        """
        density = 1.0
        if self._seen_bytes:
            seen = _MARGIN * self._seen_tokens / self._seen_bytes
            density = min(1.0, max(_MIN_DENSITY, seen))
        return math.ceil(demand.prompt_bytes * density)

    def _need(self, kind: str, demand: Demand, prompt: int) -> int:
        return 1 if kind == "requests" else _of(kind, prompt, demand.output_tokens)

    def _under_way(self, kind: str) -> int:
        if kind == "requests":
            return self._flying
        return _of(kind, self._flying_prompt, self._flying_output)

    # -- telling ----------------------------------------------------------------------------

    def charge(self, demand: Demand, now: float) -> Charge:
        """Count an exchange that is being sent."""
        prompt = self._tokens_of(demand)
        self._sent += 1
        made = Charge(demand, prompt, self._sent)
        self._flying += 1
        self._flying_prompt += made.prompt
        self._flying_output += made.output
        for kind, told in self._told.items():
            told.left -= self._need(kind, demand, prompt)
        return made

    def renew(self, charge: Charge, now: float) -> Charge:
        """Count an exchange that is sent once more."""
        self.answered(charge, now)
        return self.charge(charge.demand, now)

    def answered(self, charge: Charge, now: float) -> None:
        """Let an exchange's charge run out one window after now: its reply has begun."""
        if charge.until is not None:
            return
        self._flying -= 1
        self._flying_prompt -= charge.prompt
        self._flying_output -= charge.output
        charge.until = now
        if self.counts:
            charge.until += self.limits.window_seconds
            if self._log:  # runs may look at the clock at slightly different moments
                charge.until = max(charge.until, self._log[-1].until or 0.0)
            self._log.append(charge)
            self._logged_prompt += charge.prompt
            self._logged_output += charge.output

    def settle(self, charge: Charge, now: float, usage: Usage = NOTHING_USED) -> None:
        """
        Close an exchange.

        What it was charged for its prompt becomes what the service counted, if it said so, and
        what it was not charged for output that had no `max_tokens` is added. Output that was
        allowed and not written stays charged: services that charge it give it back late or never.
        """
        self.answered(charge, now)
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
        if self.counts and charge.until is not None and charge.until > now:
            self._logged_prompt += charge.prompt - before[0]
            self._logged_output += charge.output - before[1]

    def hear(self, rates: RateLimits, charge: Charge, now: float) -> None:
        """
        Take in what the reply to an exchange says of the service's limits.

        It knows better than the count here: others may use the same account.
        """
        for kind in ("requests", *TOKEN_KINDS):
            window: RateWindow | None = getattr(rates, kind)
            if window is not None:
                told = self._told.get(kind)
                if told is None:
                    told = self._told[kind] = _Told()
                told.hear(window, self._under_way(kind), charge.serial, self._sent, now)

    def pause(self, seconds: float, now: float) -> None:
        """Let nothing go for a while, as a `Retry-After` asks; a pause is never cut short."""
        if seconds <= MAX_PAUSE_SECONDS:
            self.paused_until = max(self.paused_until, now + seconds)

    def _expire(self, now: float) -> None:
        log = self._log
        while log and (log[0].until or 0.0) <= now:
            gone = log.popleft()
            self._logged_prompt -= gone.prompt
            self._logged_output -= gone.output

    def check(self, held: int) -> None:
        """Recount. Raises `InvariantError` if what is kept is not what was charged."""
        tokens = sum(c.prompt for c in self._log), sum(c.output for c in self._log)
        counted = self._logged_prompt, self._logged_output
        if tokens != counted:
            raise InvariantError(f"{tokens} tokens in and out are in the log, counted {counted}")
        if not 0 <= self._flying <= held:
            raise InvariantError(f"{self._flying} exchanges await a reply, {held} are under way")
        if self._flying_prompt < 0 or self._flying_output < 0:
            raise InvariantError("fewer than no tokens are under way")
