"""
The base of all orchestrators: config, provider, stream, and running a task.

The graph is built elsewhere: in `custom.py` for a subclass with three methods, in `patterns/` for
dagorch's own patterns.
"""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Final, Self

from dagorch.errors import DagorchWarning, DefinitionError, Problem, RunError
from dagorch.graph.caller import user_stack_level
from dagorch.graph.graph import Graph
from dagorch.models.arity import takes
from dagorch.models.config import OrchestratorConfig
from dagorch.models.orchestration import OrchestratorResult, StreamEvent
from dagorch.models.policy import Policy, Retry
from dagorch.models.result import Result
from dagorch.models.run_options import Listener, Listeners
from dagorch.models.task import AgentResult, SubTask
from dagorch.models.well_formed import HALF_A_CHARACTER, is_well_formed
from dagorch.orchestrators.custom import CustomGraph
from dagorch.orchestrators.documents import prepare_documents, write_documents_of
from dagorch.orchestrators.metered import MeteredProvider
from dagorch.orchestrators.stream import Stream
from dagorch.orchestrators.workflow import Workflow, without_costs
from dagorch.providers.router import Router
from dagorch.runner.api import RunHandle

__all__ = ["METHODS", "BaseOrchestrator", "check_task"]

METHODS: Final = {
    "decompose_task": "(self, task, context=None) -> list[SubTask]",
    "execute_subtask": "(self, subtask, context=None) -> AgentResult",
    "synthesize_results": "(self, agent_results, context=None) -> dict",
}
"""The methods of an orchestrator, with their signatures."""


class BaseOrchestrator:
    """
    A workflow of your own: subclass it and implement three methods.

    `decompose_task` returns a plan of `SubTask`s; their dependencies become edges, and their
    priorities the order of ready ones. `execute_subtask` performs one and returns an
    `AgentResult`. `synthesize_results` returns the answer, from the results that completed.

    The `context` of the last two is the caller's, with `task` and `results` added: the results of
    a subtask's dependencies by id, and all results for the synthesis.

    The run reserves, limits and bills the calls through `self.provider`.

    Args:
        config: None is the default config of the pattern.
        provider: A provider of dagorch, or any object with `complete` or `acomplete`. None is
            enough to draw the graph, or if no model is called. A `Router` is used unchanged.
        providers: Further providers by name, for models of other services.

    Attributes:
        stream_callback: Called with each `StreamEvent` of the workflow; async or sync.
            `stream_engine_events=True` of the config adds the events of the engine.
        on_event: One or several listeners, called with each event of the engine.

    Raises:
        DefinitionError: A method is missing, the config is not valid, or the provider has none of
            the required methods.

    Example:
        >>> class Counting(BaseOrchestrator):
        ...     async def decompose_task(self, task, context=None):
        ...         return [SubTask(word, f"Count {word!r}") for word in task.split()]
        ...     async def execute_subtask(self, subtask, context=None):
        ...         return AgentResult(subtask.id, len(subtask.id))
        ...     async def synthesize_results(self, agent_results, context=None):
        ...         return {"letters": sum(result.content for result in agent_results)}
        >>> import anyio
        >>> anyio.run(Counting().execute_workflow, "three short words").result
        {'letters': 15}
    """

    config_class: ClassVar[type[OrchestratorConfig]] = OrchestratorConfig
    """The class of `config`; a subclass is accepted, but its additional fields are unused."""
    unused_fields: ClassVar[frozenset[str]] = frozenset()
    """The fields of that class that this pattern does not use."""

    config: OrchestratorConfig
    stream_callback: Callable[[StreamEvent], Any] | None = None
    on_event: Listeners = None

    def __new__(cls, *args: Any, **options: Any) -> Self:
        if cls._workflow is BaseOrchestrator._workflow:
            missing = [
                Problem(f"there is no {name}; define async def {name}{signature}")
                for name, signature in METHODS.items()
                if getattr(cls, name) is getattr(BaseOrchestrator, name)
            ]
            missing += [
                Problem(f"{name} must take {signature.partition(' ->')[0]}")
                for name, signature in METHODS.items()
                if inspect.isfunction(getattr(cls, name)) and not takes(getattr(cls, name), 3)
            ]
            if missing:
                raise DefinitionError(missing, subject=f"orchestrator {cls.__name__}")
        return super().__new__(cls)

    def __init__(
        self,
        config: OrchestratorConfig | None = None,
        provider: Any = None,
        *,
        providers: Mapping[str, Any] | None = None,
    ) -> None:
        self.config = self.config_class() if config is None else config
        self._check_config()
        self._warn_about_unused_fields()
        self._router = _router_of(provider, providers)
        self._running: set[RunHandle] = set()
        self.provider = MeteredProvider(self._router, self.config.primary_model or "")

    # -- what a subclass implements ---------------------------------------------------------------

    async def decompose_task(
        self, task: str, context: dict[str, Any] | None = None
    ) -> list[SubTask]:
        """Return a plan of at least one subtask; the results keep its order."""
        raise NotImplementedError

    async def execute_subtask(
        self, subtask: SubTask, context: dict[str, Any] | None = None
    ) -> AgentResult:
        """Perform a subtask; `context["results"]` has the results of its dependencies by id."""
        raise NotImplementedError

    async def synthesize_results(
        self, agent_results: list[AgentResult], context: dict[str, Any] | None = None
    ) -> Any:
        """Return the answer from the completed results: a dict, a string or a pydantic model."""
        raise NotImplementedError

    # -- public -------------------------------------------------------------------------------

    def graph(self, task: str, context: Mapping[str, Any] | None = None) -> Graph:
        """
        Return the graph of a task, without running anything.

        Raises:
            DefinitionError: The task is empty, or the config is not valid.
        """
        return self.prepare_workflow(task, context).graph

    def prepare_workflow(self, task: str, context: Mapping[str, Any] | None = None) -> Workflow:
        """
        Build the workflow of a task, to be run once.

        Raises:
            DefinitionError: The task is empty, or the config is not valid.
        """
        check_task(task)
        if context is not None and not isinstance(context, Mapping):
            raise DefinitionError(f"context is a {type(context).__name__}; pass a dict, or None")
        self._check_config()
        return self._workflow(task.strip(), dict(context or {}))

    async def execute_workflow(
        self,
        task: str,
        context: Mapping[str, Any] | None = None,
        *,
        stream_callback: Callable[[StreamEvent], Any] | None = None,
        on_event: Listeners = None,
    ) -> OrchestratorResult:
        """
        Run a task and return its result.

        Args:
            task: The task.
            context: Passed to every step.
            stream_callback: Called with each `StreamEvent`; None is the attribute.
            on_event: One or several listeners, called with each event of the engine; None is
                the attribute `on_event`.

        Raises:
            DefinitionError: The task, the config or the provider is wrong; nothing was paid for.
            BudgetExceededError: The next call could exceed `max_cost` or `max_tokens`.
            RunError: Something failed. In both cases `partial_results` is an
                `OrchestratorResult` of the part that finished.
        """
        return await self.execute_prepared(
            self.prepare_workflow(task, context),
            stream_callback=stream_callback,
            on_event=on_event,
        )

    async def execute_prepared(
        self,
        workflow: Workflow,
        *,
        stream_callback: Callable[[StreamEvent], Any] | None = None,
        on_event: Listeners = None,
    ) -> OrchestratorResult:
        """
        Run a workflow of `prepare_workflow`, like `execute_workflow`.

        Use this to show the graph before the run without building it twice.
        """
        for model in workflow.models:
            self._router.find(model)
        config = self.config
        listeners: list[Listener] = []
        callback = self.stream_callback if stream_callback is None else stream_callback
        if callback is not None and not (callable(callback) and takes(callback, 1)):
            raise DefinitionError(
                f"stream_callback={callback!r:.60} cannot be called with one event; set a function "
                "of one"
            )
        if callback is not None and config.enable_streaming:
            listeners.append(Stream(callback, workflow, engine_events=config.stream_engine_events))
        if (others := on_event or self.on_event) is not None:
            listeners += (others,) if callable(others) else others
        handle = workflow.graph.start(
            workflow.inputs,
            provider=self._router,
            max_parallel=config.max_parallel if config.parallel_execution else 1,
            max_cost=config.max_cost,
            max_tokens=config.max_tokens,
            downgrade=config.downgrade,
            on_budget=config.on_budget,
            deps=workflow,
            on_event=listeners,
        )
        self._running.add(handle)
        try:
            await prepare_documents(config)
            async with handle as run:
                result = await run.result()
        except RunError as error:
            if error.partial_results is not None:
                outcome = self._outcome(workflow, error.partial_results, error)
                error.partial_results = await write_documents_of(config, outcome, error)
            raise
        finally:
            self._running.discard(handle)
        return await write_documents_of(config, self._outcome(workflow, result))

    def cancel(self, reason: str = "cancelled") -> None:
        """
        Cancel every running workflow of this orchestrator.

        Each raises a `RunError` with the part that finished. Call this on their event loop.
        """
        for run in self._running:
            run.cancel(reason)

    def is_asking(self, path: str) -> bool:
        """Tell whether a running workflow waits for the answer to a question, by its path."""
        return bool(self._asking(path))

    def answer(self, path: str, value: Any) -> None:
        """
        Answer a question that a running workflow asks, by the path of its node run.

        Raises:
            DefinitionError: No such question waits, or the answer has the wrong type.
        """
        asking = self._asking(path)
        if not asking:
            raise DefinitionError(f"no question {path!r} is waiting for an answer")
        asking[0].answer(path, value)

    def _asking(self, path: str) -> list[RunHandle]:
        return [run for run in self._running if any(q.path == path for q in run.questions)]

    def use(self, provider: Any, model: str | None = None) -> None:
        """
        Replace the default provider.

        Args:
            provider: A provider of dagorch, any object with `complete` or `acomplete`, or a
                `Router`.
            model: The model of calls that do not name one; None keeps it.
        """
        if model is not None:
            self.config = self.config.model_copy(update={"primary_model": model})
        self.provider = provider

    @property
    def provider(self) -> MeteredProvider:
        """
        The provider for calls in the methods, which the run reserves, limits and bills.

        An object that is assigned becomes the default provider, as with `use`.
        """
        return vars(self)["provider"]  # type: ignore[no-any-return]

    @provider.setter
    def provider(self, provider: Any) -> None:
        if isinstance(provider, MeteredProvider):  # kept in `vars`, where a patch restores it
            self._router = provider.router
        else:
            self._router = (
                provider if isinstance(provider, Router) else self._router.with_default(provider)
            )
            provider = MeteredProvider(self._router, self.config.primary_model or "")
        vars(self)["provider"] = provider

    @property
    def has_provider(self) -> bool:
        """Whether there is a default provider, for calls that do not name a model."""
        return self._router.default is not None

    # -- for patterns -------------------------------------------------------------------------

    def _workflow(self, task: str, context: Mapping[str, Any]) -> Workflow:
        """Build the workflow of a task. Dagorch's own patterns override only this method."""
        config = self.config
        full_context = {**context, "task": task}
        if "num_agents" in config.model_fields_set:
            full_context["num_agents"] = config.num_agents
        if config.steps is not None:
            full_context["steps"] = list(config.steps)
        builder = CustomGraph(self, self.provider, self._policy)
        return builder.workflow(task, full_context, config.primary_model or "")

    @property
    def _policy(self) -> Policy:
        """The policy of each step, from the config."""
        config = self.config
        return Policy(
            retry=Retry(attempts=config.max_retries + 1),
            timeout_seconds=config.timeout_seconds,
            fallback_models=() if config.fallback_model is None else (config.fallback_model,),
        )

    # -- checks -------------------------------------------------------------------------------

    def _outcome(
        self, workflow: Workflow, result: Result, failure: BaseException | None = None
    ) -> OrchestratorResult:
        outcome = workflow.outcome(result, failure)
        return outcome if self.config.enable_cost_tracking else without_costs(outcome)

    def _check_config(self) -> None:
        config, wanted = self.config, self.config_class
        if not isinstance(config, wanted):
            raise DefinitionError(
                f"{type(self).__name__} takes a {wanted.__name__}, not {type(config).__name__}; "
                f"pass {wanted.__name__}(...)"
            )
        problems = config.validate()
        if problems:
            raise DefinitionError([Problem(text) for text in problems], subject="config")

    def _warn_about_unused_fields(self) -> None:
        usable = self.config_class.model_fields.keys() - self.unused_fields
        unused = sorted(self.config.model_fields_set - usable)
        if unused:
            warnings.warn(
                f"{type(self).__name__} does not use {', '.join(unused)} of its config",
                DagorchWarning,
                stacklevel=user_stack_level(),
            )
        fields_set = self.config.model_fields_set
        ineffective = sorted(fields_set & {"output_dir", "output_formats"})
        if ineffective and "enable_document_generation" not in fields_set:
            warnings.warn(
                f"{' and '.join(ineffective)} without enable_document_generation=True: "
                "no document will be written",
                DagorchWarning,
                stacklevel=user_stack_level(),
            )


def check_task(task: str) -> None:
    """
    Check that a task is a non-empty string.

    Raises:
        DefinitionError: The task is empty, not a string, or has half a character.
    """
    if not isinstance(task, str) or not task.strip():
        raise DefinitionError(
            f"the task is {'empty' if isinstance(task, str) else repr(task)[:60]}; "
            'pass a text such as "How do bees find their way home?"'
        )
    if not is_well_formed(task):
        raise DefinitionError(f"the task {HALF_A_CHARACTER}")


def _router_of(provider: Any, providers: Mapping[str, Any] | None) -> Router:
    if not isinstance(provider, Router):
        return Router(provider, providers)
    if providers:
        raise DefinitionError(
            "providers= cannot be combined with a Router; pass them to the Router"
        )
    return provider
