"""
Service-wide errors, such as a rejected key: after the first, calls fail without a request.

A wrong key is not tried by one agent after the other. The first call of an account goes ahead of
the others for a moment, until the service accepts it or refuses it for all.
"""

from __future__ import annotations

import copy
from typing import Final

import anyio

from dagorch.errors import AuthenticationError, ProviderError
from dagorch.models.llm import LLMRequest, LLMResponse
from dagorch.ports import Provider
from dagorch.runner.loop_state import LoopState
from dagorch.runner.reply_observer import ReplyObserver
from dagorch.runner.service_limits import account_of

__all__ = ["Refusals"]

_PATIENCE_SECONDS: Final = 1.0
"""
How long other calls wait for the first: a wrong key is refused in less, answers take longer.

Without a bound, every branch would wait for the first call's whole answer; see ADR 0040.
"""


class Refusals:
    """
    The service-wide errors of one run, by provider and model.

    Args:
        shared: Knows the accounts that have accepted a call on this event loop.
    """

    def __init__(self, shared: LoopState) -> None:
        self._shared = shared
        self._errors: dict[tuple[int, str], ProviderError] = {}
        """By identity of the provider, and model; an empty model stands for all."""
        self._first: dict[str, anyio.Event] = {}
        """By account, set when its first call was accepted or has ended."""

    async def exchange(
        self,
        provider: Provider,
        request: LLMRequest,
        observer: ReplyObserver,
        *,
        is_hedge: bool = False,
    ) -> LLMResponse:
        """
        Send a request, unless the service has refused this run's calls.

        Raises:
            ProviderError: The service failed, or its earlier refusal holds for this call too.
        """
        self.check(provider, request)
        account = account_of(provider)
        if not account or account in self._shared.accepted_accounts or is_hedge:
            return await self._exchange(provider, request, observer)
        first = self._first.get(account)
        if first is not None:
            with anyio.move_on_after(_PATIENCE_SECONDS):
                await first.wait()
            self.check(provider, request)
            return await self._exchange(provider, request, observer)
        first = self._first[account] = anyio.Event()

        def accepted() -> None:
            self._shared.accepted_accounts.add(account)
            first.set()

        observer.on_accepted = accepted
        try:
            response = await self._exchange(provider, request, observer)
            accepted()
            return response
        finally:
            first.set()  # after any other failure, each call finds out for itself

    async def _exchange(
        self, provider: Provider, request: LLMRequest, observer: ReplyObserver
    ) -> LLMResponse:
        try:
            return await provider.exchange(request, observer)
        except ProviderError as error:
            self.record(provider, request, error)
            raise

    def check(self, provider: Provider, request: LLMRequest) -> None:
        """Raise the earlier refusal of a service that holds for this request, if there is one."""
        if not self._errors:
            return
        model = request.model or provider.default_model
        for key in ((id(provider), ""), (id(provider), model)):
            if key in self._errors:
                error = copy.copy(self._errors[key])  # each node run fails with its own
                error.sent = False
                raise error

    def record(self, provider: Provider, request: LLMRequest, error: Exception) -> None:
        """Remember an error if it is service-wide, such as a rejected key or an unknown model."""
        if isinstance(error, ProviderError) and error.service_wide:
            every_model = isinstance(error, AuthenticationError)
            model = "" if every_model else request.model or provider.default_model
            self._errors.setdefault((id(provider), model), error)
