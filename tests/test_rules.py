"""Rules of Debugger and of the profiler: they run beside the job and end in a verdict."""

import json
import os
import signal
import time
from pathlib import Path

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from harness import processes
from harness.images import docker_archive
from harness.jobs import LINGER, UNTIL_LET_GO, WHOLE_MACHINE, Jobs, completed, fresh_name
from harness.rootfs import make_busybox_rootfs
from harness.server import Server, kiln

GROUP = "/aws/sagemaker/ProcessingJobs"
TENSORS = "/opt/ml/processing/input/tensors"
OPEN = ("InProgress", "Stopping")

# Waits for the end of what it watches, as rules do.
UNTIL_THE_END = f"until [ -e {TENSORS}/training_job_end.ts ]; do sleep 0.2; done; "
FINDS_ISSUES = (
    UNTIL_THE_END + f"grep -q nan {TENSORS}/loss && mkdir -p /opt/ml/output && "
    "echo RuleEvaluationConditionMet: at step 7 > /opt/ml/output/message"
)
FINDS_NONE = UNTIL_THE_END + f"cat {TENSORS}/loss"
NEVER_ENDS = "echo watching; sleep 600"


@pytest.fixture(scope="module")
def rule_image(tmp_path_factory) -> Path:
    """An image whose entrypoint is the script in its environment, as `docker save` would
    write it."""
    directory = tmp_path_factory.mktemp("rule-image")
    rootfs = make_busybox_rootfs(directory / "rootfs")
    start = {"Entrypoint": ["/bin/sh", "-c", 'eval "$script"']}
    return docker_archive(directory / "rule.tar", rootfs, start)


@pytest.fixture
def jobs(busybox, rule_image):
    """Jobs on a server that has an image for rules."""
    server = Server(images={"busybox": busybox, "rule": rule_image}).start()
    yield Jobs(server)
    server.close()


def rule(name: str, script: str, **more) -> dict:
    """The configuration of a rule that runs a shell script."""
    return {
        "RuleConfigurationName": name,
        "RuleEvaluatorImage": "rule",
        "RuleParameters": {"rule_to_invoke": name, "script": script},
        **more,
    }


def watched(jobs: Jobs, *rules: dict, **more) -> dict:
    """The members of a request whose tensors these rules watch."""
    hook = {"S3OutputPath": f"s3://{jobs.bucket}/{fresh_name('debug')}"}
    return {"DebugHookConfig": hook, "DebugRuleConfigurations": list(rules), **more}


def writes(loss: str, then: str = "true") -> str:
    """The script of a job that writes a tensor."""
    return f"mkdir -p /opt/ml/output/tensors; echo {loss} > /opt/ml/output/tensors/loss; {then}"


def statuses(job: dict) -> dict[str, dict]:
    """The statuses of all rules, by name."""
    members = ("DebugRuleEvaluationStatuses", "ProfilerRuleEvaluationStatuses")
    found = [one for member in members for one in job.get(member, [])]
    return {one["RuleConfigurationName"]: one for one in found}


def evaluated(jobs: Jobs, name: str, within: float = 120) -> dict:
    """Waits until all rules of a job have ended."""

    def is_evaluated(job: dict) -> bool:
        all = statuses(job).values()
        return all and not any(one["RuleEvaluationStatus"] in OPEN for one in all)

    return jobs.wait_until(name, is_evaluated, within)


def status(job: dict, name: str) -> tuple[str, str]:
    """The status of a rule, and what there is to say about it."""
    one = statuses(job)[name]
    return one["RuleEvaluationStatus"], one.get("StatusDetails", "")


def log_of(jobs: Jobs, job: dict, name: str) -> list[str]:
    """What a rule has written."""
    of = statuses(job)[name]["RuleEvaluationJobArn"].split("/")[-1]
    streams = jobs.logs.describe_log_streams(logGroupName=GROUP, logStreamNamePrefix=f"{of}/")
    names = [one["logStreamName"] for one in streams["logStreams"]]
    assert all(one.startswith(f"{of}/algo-1-") for one in names)
    return [
        event["message"]
        for one in names
        for event in jobs.logs.get_log_events(
            logGroupName=GROUP, logStreamName=one, startFromHead=True
        )["events"]
    ]


def wait_for_rule_line(jobs: Jobs, name: str, of: str, text: str) -> None:
    """Waits until a rule has written a line."""
    until = time.monotonic() + 120
    while True:
        try:
            if any(text in line for line in log_of(jobs, jobs.describe(name), of)):
                return
        except jobs.logs.exceptions.ResourceNotFoundException:
            pass
        assert time.monotonic() < until, statuses(jobs.describe(name))
        time.sleep(0.1)


def test_rules_read_what_their_job_records_and_end_in_either_verdict(jobs):
    name = jobs.create(
        writes("nan", "sleep 3"),
        **watched(jobs, rule("Exploding", FINDS_ISSUES), rule("Calm", FINDS_NONE)),
    )
    job = jobs.describe(name)
    assert status(job, "Exploding") == ("InProgress", "")
    arn = statuses(job)["Exploding"]["RuleEvaluationJobArn"]
    assert arn.split(":")[5].startswith(f"processing-job/{name[:26]}-exploding-")
    job = evaluated(jobs, name)
    assert status(job, "Exploding") == ("IssuesFound", "RuleEvaluationConditionMet: at step 7")
    assert status(job, "Calm") == ("NoIssuesFound", "")
    assert log_of(jobs, job, "Calm") == ["nan"]
    assert statuses(job)["Calm"]["LastModifiedTime"] > job["CreationTime"]
    job = completed(jobs.wait(name))
    assert "tensors" not in str(jobs.model(job))


def test_what_a_rule_writes_is_stored(jobs):
    script = "echo found > /opt/ml/processing/output/rule/report"
    elsewhere = f"s3://{jobs.bucket}/{fresh_name('rules')}"
    both = [
        rule("Default", script),
        rule("Mine", "echo x > /mine/x", LocalPath="/mine", S3OutputPath=elsewhere),
    ]
    job = evaluated(jobs, jobs.create(writes("1"), **watched(jobs, *both)))
    assert {status(job, one)[0] for one in ("Default", "Mine")} == {"NoIssuesFound"}
    name = job["TrainingJobName"]
    report = f"s3://{jobs.bucket}/out/{name}/rule-output/Default/report"
    assert jobs.object(report) == b"found\n"
    assert jobs.object(f"{elsewhere}/x") == b"x\n"
    completed(jobs.wait(name))


def test_what_a_rule_is_told(jobs):
    script = (
        "cp /opt/ml/config/*.json /opt/ml/processing/output/rule; "
        "echo $rule_to_invoke $TRAINING_JOB_NAME > /opt/ml/processing/output/rule/environment; "
        "touch /opt/ml/processing/input/tensors/x || echo refused"
    )
    name = jobs.create(writes("1", "sleep 1"), **watched(jobs, rule("Told", script)))
    job = evaluated(jobs, name)
    assert status(job, "Told") == ("NoIssuesFound", "")
    assert "refused" in log_of(jobs, job, "Told")
    below = f"s3://{jobs.bucket}/out/{name}/rule-output/Told/"
    assert jobs.object(below + "environment") == f"Told {name}\n".encode()
    config = json.loads(jobs.object(below + "processingjobconfig.json"))
    assert config["ProcessingJobArn"] == statuses(job)["Told"]["RuleEvaluationJobArn"]
    assert config["Environment"]["rule_to_invoke"] == "Told"
    assert config["ProcessingInputs"][0]["S3Input"]["LocalPath"] == TENSORS
    resources = json.loads(jobs.object(below + "resourceconfig.json"))
    assert resources["hosts"] == [resources["current_host"]]
    jobs.wait(name)


def test_a_rule_without_an_image_says_so(jobs):
    missing = "503895931360.dkr.ecr.us-east-1.amazonaws.com/sagemaker-debugger-rules:latest"
    name = jobs.create(
        writes("1", "sleep 2"),
        **watched(jobs, rule("Overfit", "true", RuleEvaluatorImage=missing)),
        ProfilerConfig={"S3OutputPath": f"s3://{jobs.bucket}/profile"},
        ProfilerRuleConfigurations=[
            {"RuleConfigurationName": "Report", "RuleEvaluatorImage": "nowhere"}
        ],
    )
    job = evaluated(jobs, name)
    for one, image in (("Overfit", missing), ("Report", "nowhere")):
        verdict, details = status(job, one)
        assert verdict == "Error"
        assert image in details and "not available here" in details and "kiln images add" in details
    completed(jobs.wait(name))


def test_a_rule_that_fails_is_an_error(jobs):
    script = "echo no tensors > /opt/ml/output/message; exit 3"
    name = jobs.create(writes("1", "sleep 1"), **watched(jobs, rule("Broken", script)))
    job = evaluated(jobs, name)
    assert status(job, "Broken") == ("Error", "AlgorithmError: no tensors, exit code: 3")
    completed(jobs.wait(name))


def test_a_stop_of_the_job_stops_its_rules(jobs):
    name = jobs.create(writes("1", "sleep 600"), **watched(jobs, rule("Endless", NEVER_ENDS)))
    wait_for_rule_line(jobs, name, "Endless", "watching")
    jobs.sagemaker.stop_training_job(TrainingJobName=name)
    assert statuses(jobs.describe(name))["Endless"]["RuleEvaluationStatus"] in (
        "Stopping",
        "Stopped",
    )
    job = evaluated(jobs, name)
    assert status(job, "Endless") == (
        "Stopped",
        "The rule was stopped with its training job.",
    )
    jobs.wait(name)


def test_rules_of_a_job_that_never_trains_do_not_wait(jobs):
    name = jobs.create(
        "true",
        AlgorithmSpecification={"TrainingImage": "nowhere"},
        **watched(jobs, rule("Idle", NEVER_ENDS)),
    )
    job = evaluated(jobs, name)
    assert job["TrainingJobStatus"] == "Failed"
    verdict, details = status(job, "Idle")
    assert verdict == "Stopped" and "ended before" in details


def test_a_rule_runs_beside_a_job_that_has_the_whole_machine_or_after_it(jobs):
    name = jobs.create(
        writes("nan"), **watched(jobs, rule("Late", FINDS_ISSUES)), ResourceConfig=WHOLE_MACHINE
    )
    assert status(evaluated(jobs, name), "Late")[0] == "IssuesFound"
    completed(jobs.wait(name))


def test_a_rule_outlives_crashes_of_the_server(jobs):
    # One that runs, one that runs on after the job, and one that has not begun.
    late = "sleep 6; " + FINDS_NONE
    name = jobs.create(
        writes("1", UNTIL_LET_GO), **watched(jobs, rule("Late", late), rule("Soon", FINDS_NONE))
    )
    jobs.server.crash_and_restart()
    jobs.reconnect()
    jobs.wait_for_phase(name, "Training")
    jobs.server.crash_and_restart()
    jobs.reconnect()
    jobs.let_go()
    completed(jobs.wait(name))
    ended = jobs.describe(name)["TrainingEndTime"]
    jobs.server.crash_and_restart()
    jobs.reconnect()
    job = evaluated(jobs, name)
    assert {status(job, one) for one in ("Late", "Soon")} == {("NoIssuesFound", "")}
    assert statuses(job)["Late"]["LastModifiedTime"] > ended
    assert log_of(jobs, job, "Late") == ["1"]


def test_the_profilers_rules_can_be_added_while_the_job_runs(jobs):
    profile = {"S3OutputPath": f"s3://{jobs.bucket}/{fresh_name('profile')}"}
    script = "until ls /opt/ml/processing/input/profiler/* >/dev/null; do sleep 0.2; done"
    name = jobs.create(LINGER, ProfilerConfig=profile)
    jobs.wait_for_phase(name, "Training")
    jobs.sagemaker.update_training_job(
        TrainingJobName=name, ProfilerRuleConfigurations=[rule("Added", script)]
    )
    with pytest.raises(ClientError, match="given twice"):
        jobs.sagemaker.update_training_job(
            TrainingJobName=name, ProfilerRuleConfigurations=[rule("Added", script)]
        )
    job = jobs.describe(name)
    assert [one["RuleConfigurationName"] for one in job["ProfilerRuleConfigurations"]] == ["Added"]
    assert status(evaluated(jobs, name), "Added") == ("NoIssuesFound", "")
    jobs.stop(name)


def test_a_rules_keys_open_what_it_watches_until_it_has_ended(jobs):
    script = (
        f"until [ -e {TENSORS}/loss ]; do sleep 0.2; done; "
        "echo keys=$AWS_ACCESS_KEY_ID,$AWS_SECRET_ACCESS_KEY,$AWS_SESSION_TOKEN; sleep 600"
    )
    members = watched(jobs, rule("Keys", script))
    name = jobs.create(writes("1", "sleep 600"), **members)
    wait_for_rule_line(jobs, name, "Keys", "keys=")
    lines = log_of(jobs, jobs.describe(name), "Keys")
    own = client_with(jobs, lines[0].removeprefix("keys=").split(","))
    tensor = f"{members['DebugHookConfig']['S3OutputPath'].split('/')[-1]}/{name}/debug-output/loss"
    report = f"out/{name}/rule-output/Keys/report"
    assert own.get_object(Bucket=jobs.bucket, Key=tensor)["Body"].read() == b"1\n"
    own.put_object(Bucket=jobs.bucket, Key=report, Body=b"found")
    for key in (tensor, f"out/{name}/output/model.tar.gz"):
        with pytest.raises(ClientError, match="AccessDenied"):
            own.put_object(Bucket=jobs.bucket, Key=key, Body=b"forged")
    jobs.sagemaker.stop_training_job(TrainingJobName=name)
    evaluated(jobs, name)
    jobs.wait(name)
    with pytest.raises(ClientError):
        own.get_object(Bucket=jobs.bucket, Key=report)


def test_a_rule_whose_agent_is_killed_is_an_error(jobs):
    name = jobs.create(writes("1", "sleep 5"), **watched(jobs, rule("Watching", NEVER_ENDS)))
    wait_for_rule_line(jobs, name, "Watching", "watching")
    [instance] = rule_instances(jobs)
    [agent] = [pid for pid in processes.agents_of(str(jobs.server.data_dir)) if of(pid, instance)]
    os.kill(agent, signal.SIGKILL)
    verdict, details = status(evaluated(jobs, name), "Watching")
    assert verdict == "Error" and details.startswith("InternalServerError")
    completed(jobs.wait(name))


def test_a_rule_goes_with_the_attempts_of_its_job(jobs):
    checkpoints = f"s3://{jobs.bucket}/{fresh_name('checkpoints')}"
    script = writes(
        "1", "[ -e /opt/ml/checkpoints/n ] || { touch /opt/ml/checkpoints/n; sleep 60; }"
    )
    name = jobs.create(
        script,
        EnableManagedSpotTraining=True,
        StoppingCondition={"MaxRuntimeInSeconds": 120, "MaxWaitTimeInSeconds": 240},
        CheckpointConfig={"S3Uri": checkpoints},
        **watched(jobs, rule("Patient", "echo watching; " + FINDS_NONE)),
    )
    wait_for_rule_line(jobs, name, "Patient", "watching")
    done = kiln("interrupt", name, "--data-dir", str(jobs.server.data_dir))
    assert done.returncode == 0, done.stderr
    job = evaluated(jobs, name)
    completed(jobs.wait(name))
    assert status(job, "Patient") == ("NoIssuesFound", "")
    # It was begun anew with the second attempt.
    assert log_of(jobs, job, "Patient") == ["watching", "watching", "1"]


def test_the_rules_of_a_deleted_job_end(jobs):
    name = jobs.create(writes("1"), **watched(jobs, rule("Endless", NEVER_ENDS)))
    completed(jobs.wait(name))
    wait_for_rule_line(jobs, name, "Endless", "watching")
    assert statuses(jobs.describe(name))["Endless"]["RuleEvaluationStatus"] == "InProgress"
    jobs.sagemaker.delete_training_job(TrainingJobName=name)
    until = time.monotonic() + 120
    while rule_instances(jobs):
        assert time.monotonic() < until
        time.sleep(0.2)


def rule_instances(jobs: Jobs) -> list[str]:
    """The instances on this machine that evaluate rules."""
    found = []
    for plan in (jobs.server.data_dir / "instances").glob("*/plan.json"):
        try:
            content = json.loads(plan.read_text())
        except FileNotFoundError:
            continue
        if content.get("rule"):
            found.append(plan.parent.name)
    return found


def of(agent: int, instance: str) -> bool:
    """Whether a process works for an instance."""
    return instance in processes.command_lines().get(agent, "")


def client_with(jobs: Jobs, keys: list[str]):
    """An S3 client that signs with these keys."""
    return boto3.client(
        "s3",
        endpoint_url=jobs.server.endpoint,
        region_name="us-east-1",
        aws_access_key_id=keys[0],
        aws_secret_access_key=keys[1],
        aws_session_token=keys[2],
        config=Config(s3={"addressing_style": "path"}),
    )
