"""
What all orchestrators share: config, provider, stream, and the way from a task to its result.

Nothing runs by itself here, and the graph is made elsewhere: of a subclass with three methods in
`custom.py`, of dagorch's own patterns in `patterns/`.
"""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, Final, Self, TypeAlias

from dagorch.errors import DagorchWarning, DefinitionError, Problem, RunError
from dagorch.graph.graph import Graph
from dagorch.models.config import OrchestratorConfig
from dagorch.models.events import Event
from dagorch.models.orchestration import OrchestratorResult, StreamEvent
from dagorch.models.policy import Policy, Retry
from dagorch.models.result import Result
from dagorch.models.task import AgentResult, SubTask
from dagorch.orchestrators.custom import CustomGraph
from dagorch.orchestrators.documents import prepare_documents, with_documents
from dagorch.orchestrators.metered import MeteredProvider
from dagorch.orchestrators.stream import Stream
from dagorch.orchestrators.workflow import Workflow, without_costs
from dagorch.providers.adapter import adapt
from dagorch.providers.router import Router
from dagorch.runner.api import RunHandle

__all__ = ["BaseOrchestrator", "check_task"]

Listeners: TypeAlias = Callable[[Event], Any] | Sequence[Callable[[Event], Any]]

_METHODS: Final = {
    "decompose_task": "(self, task, context=None) -> list[SubTask]",
    "execute_subtask": "(self, subtask, context=None) -> AgentResult",
    "synthesize_results": "(self, agent_results, context=None) -> dict",
}


class BaseOrchestrator:
    """
    A workflow of your own: subclass it with three methods, and run it.

    `decompose_task` makes a plan of `SubTask`s, whose dependencies become edges and whose
    priorities decide among those ready; `execute_subtask` does one of them and gives an
    `AgentResult`; `synthesize_results` makes the answer of those that completed. Their
    `context` is the caller's, with `task`, and with `results`: of a subtask, the results it
    depends on by id, and of the synthesis, all.

    Calls through `self.provider` are reserved, limited and billed by the run they belong to.

    Args:
        config: None is the pattern's config as it comes.
        provider: One of dagorch's, or any object with `complete` or `acomplete`. None will do
            for drawing, and for a subclass that calls no model. A `Router` is used as it is.
        providers: Further ones by name, for models that are not the provider's.

    Attributes:
        stream_callback: Told each `StreamEvent`; async or sync.
        on_event: Told each of the engine's events: a listener, or several.

    Raises:
        DefinitionError: A method is missing, the config does not validate, or the provider
            cannot be one.

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
    """What `config` must be; fields beyond it are of no use here."""
    unused_fields: ClassVar[frozenset[str]] = frozenset()
    """Fields of that class that this pattern has no use for."""

    config: OrchestratorConfig
    stream_callback: Callable[[StreamEvent], Any] | None = None
    on_event: Listeners | None = None

    def __new__(cls, *args: Any, **options: Any) -> Self:
        if cls._workflow is BaseOrchestrator._workflow:
            missing = [
                Problem(f"there is no {name}; write: async def {name}{signature}")
                for name, signature in _METHODS.items()
                if getattr(cls, name) is getattr(BaseOrchestrator, name)
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
        self._warn_of_unused()
        self._router = _router_of(provider, providers)
        self._under_way: set[RunHandle] = set()
        self.provider = MeteredProvider(self._router, self.config.primary_model or "")

    # -- what a subclass writes ---------------------------------------------------------------

    async def decompose_task(
        self, task: str, context: dict[str, Any] | None = None
    ) -> list[SubTask]:
        """Make a plan: at least one subtask; their order is that of the results."""
        raise NotImplementedError

    async def execute_subtask(
        self, subtask: SubTask, context: dict[str, Any] | None = None
    ) -> AgentResult:
        """Do one subtask; `context["results"]` has those it depends on, by id."""
        raise NotImplementedError

    async def synthesize_results(
        self, agent_results: list[AgentResult], context: dict[str, Any] | None = None
    ) -> Any:
        """Make the answer of what completed: a dict, a text or a pydantic model."""
        raise NotImplementedError

    # -- public -------------------------------------------------------------------------------

    def graph(self, task: str, context: Mapping[str, Any] | None = None) -> Graph:
        """
        Give the graph that a run of this task would execute; nothing is run or sent.

        Raises:
            DefinitionError: The task is empty, or the config does not validate.
        """
        return self.prepare_workflow(task, context).graph

    def prepare_workflow(self, task: str, context: Mapping[str, Any] | None = None) -> Workflow:
        """
        Build the graph of a task, with what is needed to run it once.

        Raises:
            DefinitionError: The task is empty, or the config does not validate.
        """
        check_task(task)
        if context is not None and not isinstance(context, Mapping):
            raise DefinitionError(f"context is a {type(context).__name__}; give a dict, or None")
        self._check_config()
        return self._workflow(task.strip(), dict(context or {}))

    async def execute_workflow(
        self,
        task: str,
        context: Mapping[str, Any] | None = None,
        *,
        on_event: Listeners | None = None,
    ) -> OrchestratorResult:
        """
        Do a task and give its result.

        Args:
            task: What is to be done.
            context: Handed to every step, with additions.
            on_event: A listener, or several, told each of the engine's events; None is the
                attribute of that name.

        Raises:
            DefinitionError: The task, the config or the provider is wrong; nothing was paid for.
            BudgetExceededError: The next call could have broken `max_cost` or `max_tokens`.
            RunError: Something failed. Of both, `partial_results` is an `OrchestratorResult`
                with what had finished.
        """
        return await self.execute_prepared(self.prepare_workflow(task, context), on_event=on_event)

    async def execute_prepared(
        self, workflow: Workflow, *, on_event: Listeners | None = None
    ) -> OrchestratorResult:
        """
        Run a workflow that `prepare_workflow` returned; otherwise as `execute_workflow`.

        A caller that shows the graph before the run builds it only once this way.
        """
        for model in workflow.models:
            self._router.find(model)
        config = self.config
        await prepare_documents(config)
        listeners: list[Callable[[Event], Any]] = []
        if self.stream_callback is not None and config.enable_streaming:
            listeners.append(Stream(self.stream_callback, workflow))
        if (others := on_event or self.on_event) is not None:
            listeners += (others,) if callable(others) else others
        start = workflow.graph.start(
            provider=self._router,
            max_parallel=config.max_parallel if config.parallel_execution else 1,
            max_cost=config.max_cost,
            max_tokens=config.max_tokens,
            downgrade=config.downgrade,
            deps=workflow,
            **workflow.inputs,
            on_event=listeners,
        )
        self._under_way.add(start)
        try:
            async with start as run:
                result = await run.result()
        except RunError as error:
            if error.partial_results is not None:
                told = self._told(workflow, error.partial_results, error)
                error.partial_results = await with_documents(config, told, error)
            raise
        finally:
            self._under_way.discard(start)
        return await with_documents(config, self._told(workflow, result))

    def cancel(self, reason: str = "cancelled") -> None:
        """
        Stop every workflow of this orchestrator that is under way.

        Each raises a `RunError` with what had finished. Call it on the event loop they run on.
        """
        for run in self._under_way:
            run.cancel(reason)

    def use(self, provider: Any, model: str | None = None) -> None:
        """
        Have another default provider answer from now on.

        Args:
            provider: One of dagorch's, or any object with `complete` or `acomplete`.
            model: What a call that names no model asks for; None leaves it as it is.
        """
        self._router.default = adapt(provider)
        if model is not None:
            self.config = self.config.model_copy(update={"primary_model": model})
        self.provider = MeteredProvider(self._router, self.config.primary_model or "")

    @property
    def has_provider(self) -> bool:
        """Whether there is a default provider, which answers calls that name no model."""
        return self._router.default is not None

    # -- for patterns -------------------------------------------------------------------------

    def _workflow(self, task: str, context: Mapping[str, Any]) -> Workflow:
        """Compile a task into a graph. A pattern of dagorch's own replaces this one method."""
        config = self.config
        told = {**context, "task": task}
        if "num_agents" in config.model_fields_set:
            told["num_agents"] = config.num_agents
        if config.steps is not None:
            told["steps"] = list(config.steps)
        steps = CustomGraph(self, self.provider, self._policy)
        return steps.workflow(task, told, config.primary_model or "")

    @property
    def _policy(self) -> Policy:
        """How each step is tried, as the config says."""
        config = self.config
        return Policy(
            retry=Retry(attempts=config.max_retries + 1),
            timeout_seconds=config.timeout_seconds,
            fallback_models=() if config.fallback_model is None else (config.fallback_model,),
        )

    # -- checks -------------------------------------------------------------------------------

    def _told(
        self, workflow: Workflow, result: Result, failure: BaseException | None = None
    ) -> OrchestratorResult:
        outcome = workflow.outcome(result, failure)
        return outcome if self.config.enable_cost_tracking else without_costs(outcome)

    def _check_config(self) -> None:
        config, wanted = self.config, self.config_class
        if not isinstance(config, wanted):
            raise DefinitionError(
                f"{type(self).__name__} takes a {wanted.__name__}, not {type(config).__name__}; "
                f"write {wanted.__name__}(...)"
            )
        problems = config.validate()
        if problems:
            raise DefinitionError([Problem(text) for text in problems], subject="config")

    def _warn_of_unused(self) -> None:
        usable = self.config_class.model_fields.keys() - self.unused_fields
        unused = sorted(self.config.model_fields_set - usable)
        if unused:
            warnings.warn(
                f"{type(self).__name__} has no use for {', '.join(unused)} of its config",
                DagorchWarning,
                stacklevel=_users_level(),
            )
        given = self.config.model_fields_set
        idle = sorted(given & {"output_dir", "output_formats"})
        if idle and "enable_document_generation" not in given:
            warnings.warn(
                f"{' and '.join(idle)} without enable_document_generation=True: "
                "no document will be written",
                DagorchWarning,
                stacklevel=_users_level(),
            )


def check_task(task: str) -> None:
    """
    Check that there is a task.

    Raises:
        DefinitionError: It is empty, or not a text.
    """
    if not isinstance(task, str) or not task.strip():
        raise DefinitionError(
            f"the task is {'empty' if isinstance(task, str) else repr(task)[:60]}; "
            'say what is to be done, such as "How do bees find their way home?"'
        )


def _users_level() -> int:
    """Give the caller's `stacklevel` of the line outside dagorch, whatever is in between."""
    frame, level = inspect.currentframe(), 0
    while frame is not None and frame.f_globals["__name__"].startswith("dagorch."):
        frame, level = frame.f_back, level + 1
    return level


def _router_of(provider: Any, providers: Mapping[str, Any] | None) -> Router:
    if not isinstance(provider, Router):
        return Router(provider, providers)
    if providers:
        raise DefinitionError("providers= beside a Router: give them to the Router itself")
    return provider
