"""Graph files: YAML, fields, names, types and functions of a file."""

from __future__ import annotations

from dagorch.files import load_graph, parse_graph
from tests.mistakes.matrix import refused, refused_file

tabs = refused_file(
    "nodes:\n\tview: {prompt: Tea?} # here\n",
    "tab", "spaces",
)  # fmt: skip
a_brace_that_is_not_closed = refused_file(
    "nodes: {view: {prompt: Tea?}\noutputs: view # here\n",
    "expected", "'}'",
)  # fmt: skip
a_misspelt_kind = refused_file(
    """
nodes:
  view:
    promt: Tea? # here
""",
    "no kind of node has the field 'promt'", "did you mean 'prompt'?",
)  # fmt: skip
a_misspelt_field = refused_file(
    """
nodes:
  view:
    prompt: Tea?
    modle: grok-3 # here
""",
    "node 'view' has no field 'modle'", "did you mean 'model'?",
)  # fmt: skip
a_misspelt_field_of_the_graph = refused_file(
    """
input: [topic] # here
nodes:
  view: {prompt: "On tea"}
""",
    "a graph has no field 'input'", "did you mean 'inputs'?",
)  # fmt: skip
a_default_of_another_type = refused_file(
    """
inputs:
  depth:
    type: int
    default: three # here
nodes:
  view: {prompt: "Tea, {depth} times"}
""",
    "input 'depth' takes int, but its default is a str: 'three'", "change one of them",
)  # fmt: skip
a_default_of_a_nested_graph = refused_file(
    """
inputs: [topics]
nodes:
  views:
    over: topics
    map:
      inputs:
        item: str
        tags: {type: "list[str]", default: tea} # here
      nodes:
        view: {prompt: "On {item}, {tags}"}
""",
    "input 'tags' takes list[str], but its default is a str: 'tea'", "change one of them",
)  # fmt: skip
a_blank_name_of_the_graph = refused_file(
    """
name: " " # here
nodes:
  view: {prompt: Tea?}
""",
    "the name of a graph must be a text that is not empty", "leave it out",
)  # fmt: skip
no_nodes = refused_file(
    """
name: flow # here
""",
    "a graph needs nodes", "nodes",
)  # fmt: skip
an_empty_mapping_of_nodes = refused_file(
    """
nodes: {} # here
""",
    "a graph needs at least one node", "at least one",
)  # fmt: skip
a_list_of_nodes = refused_file(
    """
nodes:
  - prompt: Tea? # here
""",
    "nodes must be a mapping of id to node", "not a list",
)  # fmt: skip
a_node_that_is_text = refused_file(
    """
nodes:
  view: Tea? # here
""",
    "node 'view' is a mapping of fields, not 'Tea?'", "a mapping of fields",
)  # fmt: skip
a_node_that_does_nothing = refused_file(
    """
nodes:
  view:
    model: grok-3 # here
""",
    "node 'view' does nothing", "it needs one of the fields prompt",
)  # fmt: skip
a_kind_by_its_name = refused_file(
    """
nodes:
  view:
    type: llm # here
""",
    "not by 'type'", "write prompt: ...",
)  # fmt: skip
two_kinds_in_one_node = refused_file(
    """
nodes:
  view:
    prompt: Tea?
    merge: [a, b] # here
""",
    "node 'view' has 'prompt' and 'merge'", "keep one of them",
)  # fmt: skip
a_field_of_another_kind = refused_file(
    """
nodes:
  view:
    prompt: Tea?
    reducer: first # here
""",
    "node 'view' has no field 'reducer'", "did you mean 'resources'?",
)  # fmt: skip
a_key_twice = refused_file(
    """
nodes:
  view: {prompt: Tea?}
  view: {prompt: Coffee?} # here
""",
    "'view'", "twice",
)  # fmt: skip
another_version = refused_file(
    """
dagorch: 2 # here
nodes:
  view: {prompt: Tea?}
""",
    "dagorch must be 1", "1",
)  # fmt: skip
a_misspelt_field_of_a_prompt = refused_file(
    """
inputs: {topic: str}
nodes:
  view: {prompt: "On {topc}"} # here
""",
    "input 'topc' of node 'view' is not bound", "did you mean 'topic'?",
)  # fmt: skip
an_unknown_node_in_after = refused_file(
    """
nodes:
  view: {prompt: Tea?}
  log:
    prompt: Say done
    after: [veiw] # here
""",
    "node 'log' depends on 'veiw'", "did you mean 'view'?",
)  # fmt: skip
an_unknown_node_in_a_merge = refused_file(
    """
nodes:
  view: {prompt: Tea?}
  all:
    merge: [view, veiw] # here
""",
    "depends on 'veiw'", "did you mean 'view'?",
)  # fmt: skip
an_unknown_node_in_inputs = refused_file(
    """
nodes:
  view: {prompt: Tea?}
  report:
    prompt: On {text}
    inputs: {text: veiw} # here
""",
    "depends on 'veiw'", "did you mean 'view'?",
)  # fmt: skip
needs_of_another_tool = refused_file(
    """
nodes:
  view: {prompt: Tea?}
  log:
    prompt: Say done
    needs: [view] # here
""",
    "node 'log' has no field 'needs'", "its fields are",
)  # fmt: skip
an_unknown_output = refused_file(
    """
nodes:
  report: {prompt: Tea?}
outputs: reprot # here
""",
    "output 'reprot' is not a node", "did you mean 'report'?",
)  # fmt: skip
an_unknown_type = refused_file(
    """
inputs: {topic: strng} # here
nodes:
  view: {prompt: "On {topic}"}
""",
    "'strng'", "did you mean 'str'?",
)  # fmt: skip
an_unknown_type_of_a_reply = refused_file(
    """
nodes:
  view:
    prompt: Tea?
    output: list[string] # here
""",
    "'string'", "str",
)  # fmt: skip
a_cycle = refused_file(
    """
nodes:
  a: {prompt: "On {b}"} # here
  b: {prompt: "On {a}"}
""",
    "a -> b -> a form a cycle", "loop",
)  # fmt: skip
a_number_as_text = refused_file(
    """
nodes:
  view:
    prompt: Tea?
    max_tokens: "100" # here
""",
    "max_tokens must be a whole number, not '100'", "a whole number",
)  # fmt: skip
a_negative_timeout = refused_file(
    """
nodes:
  view:
    prompt: Tea?
    timeout_seconds: -3 # here
""",
    "timeout_seconds must be above 0, not -3", "above 0",
)  # fmt: skip
a_flag_as_retry = refused_file(
    """
nodes:
  view:
    prompt: Tea?
    retry: true # here
""",
    "retry must be a number of attempts", "attempts",
)  # fmt: skip
an_unknown_error_to_retry_on = refused_file(
    """
nodes:
  view:
    prompt: Tea?
    retry:
      attempts: 3
      on: [OverloadError] # here
""",
    "no error 'OverloadError'", "did you mean 'OverloadedError'?",
)  # fmt: skip
another_on_error = refused_file(
    """
nodes:
  view:
    prompt: Tea?
    on_error: ignore # here
""",
    "on_error must be", "continue",
)  # fmt: skip
a_fallback_that_is_text = refused_file(
    """
nodes:
  view:
    prompt: Tea?
    fallback: none # here
""",
    "fallback must be {value: ...}, a node, or a graph", "{value: ...}",
)  # fmt: skip
an_unknown_reducer = refused_file(
    """
nodes:
  view: {prompt: Tea?}
  all:
    merge: [view]
    reducer: frist # here
""",
    "'frist'", "did you mean 'first'?",
)  # fmt: skip
a_loop_without_a_bound = refused_file(
    """
nodes:
  refine:
    loop: {prompt: "Improve {state}"} # here
    values: {state: ""}
""",
    "node 'refine' needs 'max_iterations' beside 'loop'", "max_iterations",
)  # fmt: skip
a_map_over_nothing = refused_file(
    """
nodes:
  view:
    map: {prompt: "On {item}"} # here
""",
    "node 'view' needs 'over' beside 'map'", "over",
)  # fmt: skip
a_map_over_a_misspelt_node = refused_file(
    """
nodes:
  topics: {prompt: Topics?, output: "list[str]"}
  view:
    map: {prompt: "On {item}"}
    over: topcis # here
""",
    "'topcis'", "did you mean 'topics'?",
)  # fmt: skip
a_map_over_text = refused_file(
    """
nodes:
  topics: {prompt: Topics?}
  view:
    map: {prompt: "On {item}"}
    over: topics # here
""",
    "map 'view' runs over 'topics', which gives str", "not a sequence",
)  # fmt: skip
a_label_that_does_not_exist = refused_file(
    """
nodes:
  kind: {prompt: Kind?, choices: [tea, coffee]}
  way: {branch: kind, labels: [tea, coffee]}
  go:
    prompt: Go
    when: {way: te} # here
""",
    "label 'te', which branch 'way' does not have", "did you mean 'tea'?",
)  # fmt: skip
another_label_for_the_rest = refused_file(
    """
nodes:
  kind: {prompt: Kind?}
  way:
    branch: kind
    labels: [tea, coffee]
    otherwise: cofee # here
""",
    "'cofee' is not one of the labels", "did you mean 'coffee'?",
)  # fmt: skip
two_tests_in_a_branch = refused_file(
    """
nodes:
  kind: {prompt: Kind?}
  way:
    branch: kind
    is: tea
    contains: tea # here
""",
    "node 'way' has 'is' and 'contains'", "keep one of these tests",
)  # fmt: skip
an_expression_as_until = refused_file(
    """
nodes:
  refine:
    loop: {prompt: "Improve {state}"}
    max_iterations: 2
    values: {state: ""}
    until: score > 8 # here
""",
    "'score > 8'", "module:name",
)  # fmt: skip
a_misspelt_test = refused_file(
    """
nodes:
  refine:
    loop: {prompt: "Improve {state}"}
    max_iterations: 2
    values: {state: ""}
    until: {contain: tea} # here
""",
    "contain", "did you mean 'contains'?",
)  # fmt: skip
a_module_that_is_not_allowed = refused_file(
    """
nodes:
  view:
    function: os:getcwd # here
""",
    "module 'os' is not allowed", "--allow os",
)  # fmt: skip
a_function_without_a_module = refused_file(
    """
nodes:
  view:
    function: getcwd # here
""",
    "'getcwd'", "module:name",
)  # fmt: skip
a_tag_of_python = refused_file(
    """
nodes:
  view: !!python/object:os.system {} # here
""",
    "tag", "not allowed",
)  # fmt: skip
an_anchor = refused_file(
    """
nodes:
  view: &view {prompt: Tea?} # here
  again: {prompt: Coffee?}
""",
    "anchor", "not allowed",
)  # fmt: skip
a_second_document = refused_file(
    """
nodes:
  view: {prompt: Tea?}
--- # here
nodes: {}
""",
    "document", "one",
)  # fmt: skip
a_template_with_an_expression = refused_file(
    """
nodes:
  view:
    prompt: "On {topics[0]}" # here
""",
    "'{topics[0]}' is not an input", "write '{topics}'",
)  # fmt: skip
a_slash_in_an_id = refused_file(
    """
nodes:
  a/b: {prompt: Tea?} # here
""",
    "the id 'a/b' contains '/'", "reserved for paths",
)  # fmt: skip
choices_beside_an_output = refused_file(
    """
nodes:
  view:
    prompt: Tea?
    output: str
    choices: [yes, no] # here
""",
    "'choices' already define the output", "remove one of them",
)  # fmt: skip
a_body_that_sees_the_outside = refused_file(
    """
inputs: {topic: str}
nodes:
  refine:
    loop:
      inputs: {state: str}
      nodes:
        improve: {prompt: "Improve {state} on {topic}"} # here
    max_iterations: 2
    values: {state: ""}
""",
    "input 'topic' of node 'improve' is not bound", "bind it with topic=...",
)  # fmt: skip
an_unknown_property_of_a_schema = refused_file(
    """
nodes:
  view:
    prompt: Tea?
    output: {type: object, propertys: {}} # here
""",
    "propertys", "did you mean 'properties'?",
)  # fmt: skip


@refused("cannot read 'flwo.yaml'", "", "No such file")
async def a_file_that_does_not_exist(provider):
    await load_graph("flwo.yaml").run(provider=provider)  # here


@refused("the file is empty", "flow.yaml:1:1", "it needs nodes")
async def an_empty_file(provider):
    await parse_graph("", file="flow.yaml").run(provider=provider)


@refused("not JSON", "flow.json:1", "','")
async def json_without_a_comma(provider):
    text = '{"nodes": {"a": {"prompt": "Tea?"} "b": {"prompt": "Coffee?"}}}'
    await parse_graph(text, file="flow.json").run(provider=provider)
