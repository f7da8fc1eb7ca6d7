"""`kiln sagemaker` prints what `aws sagemaker` prints, to the byte.

Both programs are run with the same arguments and environment against one server. The
installed version 1 of the AWS CLI ends every failure with 2 or 255; the native program
has version 2's exit statuses, which each case names.
"""

import json
import re

import pytest

from harness.jobs import completed
from harness.native_cli import (
    ARN,
    DESCRIBE,
    FAILED,
    LIST,
    NAME,
    SERVICE,
    STEM,
)


TAGS = ("list-tags", "--resource-arn", f"{ARN}/{STEM}-rich")
SEARCH = (
    "search",
    "--resource",
    "TrainingJob",
    "--search-expression",
    f'{{"Filters": [{{"Name": "TrainingJobName", "Operator": "Contains", "Value": "{STEM}"}}]}}',
    "--sort-by",
    "TrainingJobName",
)
COMMANDS = {
    "describe": DESCRIBE,
    "failed": FAILED,
    "list": LIST,
    "tags": TAGS,
    "search": SEARCH,
    "empty": ("list-training-jobs", "--name-contains", "no-job-has-this"),
}
FORMS = {
    "json": ("--output", "json"),
    "text": ("--output", "text"),
    "table": ("--output", "table"),
    "table-plain": ("--output", "table", "--color", "off"),
    "table-colour": ("--output", "table", "--color", "on"),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("command", COMMANDS)
def test_answers_are_the_same_in_every_form(both, command, form):
    printed = both.agree(*COMMANDS[command], *FORMS[form])
    assert printed.stdout or (command, form) == ("empty", "text")


DESCRIBE_QUERIES = [
    "TrainingJobName",
    "[TrainingJobName, TrainingJobStatus]",
    "{status: TrainingJobStatus, name: TrainingJobName}",
    "HyperParameters",
    "HyperParameters.*",
    "keys(Environment)",
    "values(Environment)",
    "SecondaryStatusTransitions[].Status",
    "SecondaryStatusTransitions[*].{s: Status, m: StatusMessage}",
    "SecondaryStatusTransitions[-1]",
    "SecondaryStatusTransitions[?Status == 'Training'] | [0].StatusMessage",
    "length(SecondaryStatusTransitions)",
    "FinalMetricDataList[0].Value",
    "FinalMetricDataList",
    "CreationTime",
    "to_string(CreationTime)",
    "floor(CreationTime)",
    "ResourceConfig.InstanceCount > `0`",
    "EnableNetworkIsolation && 'yes' || 'no'",
    "!EnableNetworkIsolation",
    "StoppingCondition",
    "Missing",
    "Missing.Deeper[0]",
    "not_null(Missing, TrainingJobName)",
    "type(@)",
    "join('-', [TrainingJobName, 'x'])",
    "contains(TrainingJobName, 'rich')",
    "starts_with(TrainingJobName, 'native')",
    "sort(keys(@))[:5]",
    "reverse(sort(keys(HyperParameters)))",
    "merge(Environment, {B: 'three'})",
    "to_array(TrainingJobName)",
    "[HyperParameters.name, `[1, 2.5, null, true]`]",
    "to_number('12')",
    "AlgorithmSpecification.ContainerEntrypoint",
    "`{}`",
    "`[]`",
    "''",
]
LIST_QUERIES = [
    "TrainingJobSummaries[].TrainingJobName",
    "TrainingJobSummaries[*].[TrainingJobName, TrainingJobStatus]",
    "TrainingJobSummaries[].{n: TrainingJobName, s: TrainingJobStatus}",
    "TrainingJobSummaries[?TrainingJobStatus=='Failed'].TrainingJobArn",
    "TrainingJobSummaries[0]",
    "TrainingJobSummaries[1:3].TrainingJobName",
    "TrainingJobSummaries[::-1].TrainingJobName",
    "sort_by(TrainingJobSummaries, &TrainingJobName)[].TrainingJobName",
    "max_by(TrainingJobSummaries, &CreationTime).TrainingJobName",
    "min_by(TrainingJobSummaries, &CreationTime).CreationTime",
    "length(TrainingJobSummaries)",
    "map(&length(TrainingJobName), TrainingJobSummaries)",
    "avg(TrainingJobSummaries[].length(TrainingJobName))",
    "TrainingJobSummaries[].TrainingJobName | [0]",
    "NextToken",
    "@",
]


@pytest.mark.parametrize("query", DESCRIBE_QUERIES)
def test_queries_of_a_description_select_the_same(both, query):
    for form in ("json", "text"):
        both.agree(*DESCRIBE, "--output", form, "--query", query)


@pytest.mark.parametrize("query", LIST_QUERIES)
def test_queries_of_a_list_select_the_same(both, query):
    for form in ("json", "text", "table"):
        both.agree(*LIST, "--output", form, "--query", query)


LISTS = {
    "all": ("--page-size", "2"),
    "first": ("--max-items", "2"),
    "pages": ("--max-items", "3", "--page-size", "2"),
    "boundary": ("--max-items", "2", "--page-size", "2"),
    "none": ("--max-items", "0"),
    "one page": ("--no-paginate", "--max-results", "2"),
    "by hand": ("--max-results", "2"),
    "sorted": ("--sort-by", "Name", "--sort-order", "Ascending"),
    "by status": ("--status-equals", "Failed"),
    "by time": ("--creation-time-after", "2020-01-01T00:00:00Z"),
    "by seconds": ("--creation-time-before", "1577836800"),
    "by input": ("--cli-input-json", '{"SortBy": "Name", "MaxResults": 3}'),
    "abbreviated": ("--sort-b", "Name", "--out=text"),
}


@pytest.mark.parametrize("case", LISTS)
@pytest.mark.parametrize("form", ["json", "text"])
def test_lists_are_the_same_however_they_are_asked_for(both, case, form):
    both.agree(*LIST, "--output", form, *LISTS[case])


@pytest.mark.parametrize("kind", ["training", "compilation", "optimization"])
@pytest.mark.parametrize("form", ["json", "text", "table"])
def test_every_kind_is_listed_and_described(both, kind, form):
    """What is not served, or not there, is refused in the same words."""
    absent = f"{STEM}-absent"
    described = (f"describe-{kind}-job", f"--{kind}-job-name", absent, "--output", form)
    assert b"An error occurred" in both.agree(*described, status=SERVICE).stderr
    listed = (f"list-{kind}-jobs", "--name-contains", absent, "--output", form)
    served = both.native(*listed).status == 0
    both.agree(*listed, status=0 if served else SERVICE)


@pytest.mark.parametrize("form", ["json", "text", "table"])
def test_models_are_listed_and_described(both, form):
    absent = f"{STEM}-absent"
    both.agree("list-models", "--name-contains", absent, "--output", form)
    described = ("describe-model", "--model-name", absent, "--output", form)
    assert b"Could not find model" in both.agree(*described, status=SERVICE).stderr


def test_a_list_goes_on_where_an_invocation_ended(both):
    arguments = (*LIST, "--max-items", "2", "--page-size", "3", "--output", "json")
    names, token = [], ()
    while True:
        page = json.loads(both.agree(*arguments, *token).stdout)
        names += [job["TrainingJobName"] for job in page["TrainingJobSummaries"]]
        if "NextToken" not in page:
            break
        token = ("--starting-token", page["NextToken"])
    assert sorted(names) == sorted(f"{STEM}-{name}" for name in ("0", "1", "2", "failed", "rich"))


SKELETONS = [
    ("describe-training-job", "--generate-cli-skeleton"),
    ("stop-training-job", "--generate-cli-skeleton", "input"),
    ("list-tags", "--generate-cli-skeleton"),
    ("add-tags", "--generate-cli-skeleton"),
    ("delete-tags", "--generate-cli-skeleton"),
    ("list-tags", "--resource-arn", f"{ARN}/x", "--generate-cli-skeleton", "output"),
    ("stop-training-job", *NAME, "--generate-cli-skeleton", "output"),
    ("describe-compilation-job", "--generate-cli-skeleton"),
    ("describe-optimization-job", "--generate-cli-skeleton"),
    ("wait", "training-job-completed-or-stopped", "--generate-cli-skeleton"),
    ("wait", "training-job-completed-or-stopped", *NAME, "--generate-cli-skeleton", "input"),
]


@pytest.mark.parametrize("arguments", SKELETONS, ids=" ".join)
def test_skeletons_are_the_same(both, arguments):
    both.agree(*arguments)


def test_every_operation_has_the_same_skeleton(both):
    """Of a member with a choice of values, the AWS CLI takes one by chance."""
    listed = both.native("help").stdout.decode().partition("Options")[0].splitlines()
    operations = [line.strip() for line in listed if re.fullmatch("  [a-z-]+", line)]
    assert len(operations) > 20
    for operation in operations:
        arguments = (operation, "--generate-cli-skeleton")
        golden = both.aws.run(["sagemaker", *arguments], both.environment)
        native = both.native(*arguments)
        assert without_choices(native.stdout) == without_choices(golden.stdout), operation


def without_choices(printed: bytes) -> str:
    """A skeleton with the same word wherever a value was chosen."""
    return re.sub(r': "[^"]+"', ': "chosen"', printed.decode())


def test_a_job_is_made_stopped_and_deleted(both, jobs, tmp_path):
    """What changes something is done by the native program alone, and seen by both."""
    name = "made-by-the-native-program"
    request = jobs.request("true", name)
    file = tmp_path / "request.json"
    file.write_text(json.dumps(request))
    tags = ("--tags", "Key=a,Value=b", "Key=c,Value='d e'")
    made = both.native("create-training-job", "--cli-input-json", f"file://{file}", *tags)
    assert (made.status, made.stderr) == (0, b"")
    assert json.loads(made.stdout) == {"TrainingJobArn": f"{ARN}/{name}"}
    described = ("describe-training-job", "--training-job-name", name)
    completed(jobs.wait(name))
    waited = both.agree("wait", "training-job-completed-or-stopped", *described[1:])
    assert waited.stdout == b""
    both.agree(*described)
    told = json.loads(both.agree("list-tags", "--resource-arn", f"{ARN}/{name}").stdout)
    assert told["Tags"] == [{"Key": "a", "Value": "b"}, {"Key": "c", "Value": "d e"}]
    both.agree("delete-tags", "--resource-arn", f"{ARN}/{name}", "--tag-keys", "a", "zz")
    both.agree("stop-training-job", "--training-job-name", name, status=SERVICE)
    assert both.native("delete-training-job", "--training-job-name", name).status == 0
    both.agree(*described, status=SERVICE)


def test_shorthand_and_yaml_say_the_same_as_json(both, jobs):
    name = "made-of-yaml"
    request = jobs.request("true", name)
    lines = [f"{member}: {json.dumps(value)}" for member, value in request.items()]
    del request["ResourceConfig"]
    resources = "InstanceType=ml.m5.large,InstanceCount=1,VolumeSizeInGB=5"
    made = both.native(
        "create-training-job",
        "--cli-input-yaml",
        "\n".join(lines),
        "--resource-config",
        resources,
    )
    assert made.status == 0, made.stderr.decode()
    completed(jobs.wait(name))
    both.native("delete-training-job", "--training-job-name", name)


def test_yaml_is_what_version_two_prints(both):
    """Version 1 has no YAML: members are in order of their names, as in version 2."""
    import yaml

    printed = both.native(*DESCRIBE, "--output", "yaml")
    described = json.loads(both.native(*DESCRIBE).stdout)
    assert yaml.safe_load(printed.stdout) == described
    names = [line for line in printed.stdout.decode().splitlines() if line[0].isalpha()]
    assert names == sorted(names)
    stream = both.native(*LIST, "--page-size", "2", "--output", "yaml-stream").stdout
    pages = yaml.safe_load(stream)
    assert [len(page["TrainingJobSummaries"]) for page in pages] == [2, 2, 1]
    skeleton = both.native("add-tags", "--generate-cli-skeleton", "yaml-input").stdout
    assert yaml.safe_load(skeleton) == {
        "ResourceArn": "",
        "Tags": [{"Key": "", "Value": ""}],
    }


def test_options_of_version_two_are_taken(both):
    options = (
        "--no-cli-pager",
        "--no-cli-auto-prompt",
        "--cli-binary-format",
        "base64",
    )
    plain = both.native(*DESCRIBE)
    assert both.native(*DESCRIBE, *options).stdout == plain.stdout
    told = both.native(*DESCRIBE, "--debug")
    assert told.stdout == plain.stdout and b"DEBUG" in told.stderr
    assert both.native("--version").stdout.startswith(b"kiln/")
    assert b"list-training-jobs" in both.native("help").stdout
    assert b"--training-job-name" in both.native("describe-training-job", "help").stdout
