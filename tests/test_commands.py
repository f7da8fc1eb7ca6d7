"""The commands for people, on a terminal and in a pipe."""

import json
import os
import re
import signal
import subprocess

import pytest

from harness import server as harness
from harness.compilations import Compilations
from harness.jobs import LINGER, completed, fresh_name
from harness.place import WITHIN, Place
from harness.terminal import COLOUR

# The first job of a framework may have to create its environment.
CREATION = 300
SCRIPT = """
ls /opt/ml/input/data/train
echo "rounds: $(cat /opt/ml/input/config/hyperparameters.json)"
echo "loss=0.25 and $GREETING"
echo "val_loss=4"
echo made > /opt/ml/model/made.txt
"""
LEARNING = """
import argparse, os, xgboost
parser = argparse.ArgumentParser()
parser.add_argument("--rounds", type=int)
rounds = parser.parse_args().rounds
data = open(os.path.join(os.environ["SM_CHANNEL_TRAIN"], "rows.csv")).read()
print(f"rounds={rounds} bytes={len(data)} xgboost={xgboost.__version__}")
open(os.path.join(os.environ["SM_MODEL_DIR"], "model"), "w").write(data)
"""


@pytest.fixture
def place(tmp_path, server) -> Place:
    """A directory to work in, where commands find the shared server."""
    return Place(tmp_path, server)


# Training


def test_training_tells_all_and_ends_with_the_model(place, jobs):
    place.write("data/one.csv", "1\n")
    place.write("data/deep/two.csv", "2\n")
    script = place.write("train.sh", SCRIPT)
    options = ["--image", "busybox", "--data", f"train={place.path('data')}", "--hp", "rounds=5"]
    options += ["--metric", "loss", "--env", "GREETING=hello", "--max-run", "300"]
    done = place.kiln("train", script, *options)
    for line in (
        r"• train +s3://\S+ \(2 files, 4 B, (uploaded|there already)\)",
        r"• Submitted +train-\d{8}-\d{6}-\d{3}",
        r"▸ Training ",
        r"    one\.csv",
        r'    rounds: \{"rounds":"5"\}',
        r"    loss=0\.25 and hello",
        r"Completed after ",
        r"  loss +0\.25",
    ):
        assert re.search(f"^{line}", done.stdout, re.MULTILINE), f"{line} in {done.stdout}"
    model = re.search(r"s3://\S+/output/model\.tar\.gz", done.stdout).group()
    name = re.search(r"Submitted +(\S+)", done.stdout).group(1)
    assert jobs.model(jobs.describe(name)) == {"made.txt": b"made\n"}
    assert jobs.describe(name)["ModelArtifacts"]["S3ModelArtifacts"] == model
    assert done.stdout.rindex("loss=0.25") < done.stdout.index("▸ Completed")


def test_data_is_uploaded_once_and_again_when_it_changes(place):
    marker = fresh_name("marker")
    data = place.write("data.csv", marker)
    script = place.write("train.sh", "true")

    def told() -> str:
        options = ["--image", "busybox", "--data", f"train={data}"]
        printed = place.kiln("train", script, *options).stdout
        return re.search(r"• train .*, (.*)\)", printed).group(1)

    assert [told(), told()] == ["uploaded", "there already"]
    place.write("data.csv", f"{marker} changed")
    assert told() == "uploaded"


def test_a_terminal_gets_colours_unless_it_wants_none(place):
    script = place.write("train.sh", "echo in colour")
    for variables, coloured in (({}, True), ({"NO_COLOR": "1"}, False)):
        terminal = place.terminal("train", script, "--image", "busybox", **variables)
        assert terminal.end() == 0, terminal.screen
        assert bool(COLOUR.search(terminal.screen)) == coloured
        assert "    in colour\n" in terminal.plain() and "Completed after" in terminal.plain()


def test_the_exit_status_tells_how_a_job_ended(place):
    script = place.write("bad.sh", "echo no >/opt/ml/output/failure; exit 3")
    done = place.kiln("train", script, "--image", "busybox", status=4)
    assert re.search(r"^kiln: the training job \S+ failed: AlgorithmError: no", done.stderr)


def test_a_detached_job_is_only_named_in_a_pipe(place, jobs):
    name = place.begin("true")
    assert re.fullmatch(r"script-\S+", name)
    completed(jobs.wait(name))
    name = fresh_name("detached")
    script = place.write("train.sh", "true")
    options = ["--image", "busybox", "--detach", "--json", "--name", name]
    created = json.loads(place.kiln("train", script, *options).stdout)
    assert created["TrainingJobName"] == name and created["TrainingJobArn"].endswith(f"/{name}")
    jobs.wait(name)


def test_json_is_one_document(place):
    script = place.write("train.sh", "echo nobody sees this")
    done = place.kiln("train", script, "--image", "busybox", "--json")
    assert json.loads(done.stdout)["TrainingJobStatus"] == "Completed"
    assert done.stderr == ""


def test_every_option_reaches_the_job(place, jobs):
    checkpoint, output = f"s3://{jobs.bucket}/checkpoints", f"s3://{jobs.bucket}/elsewhere"
    options = ["--spot", "--checkpoint", checkpoint, "--output", output, "--max-run", "60"]
    options += ["--instance-type", "ml.c5.xlarge", "--data", f"train={jobs.put('in/x', 'x')}"]
    job = completed(jobs.wait(place.begin("true", *options)))
    assert job["EnableManagedSpotTraining"]
    assert job["StoppingCondition"] == {
        "MaxRuntimeInSeconds": 60,
        "MaxWaitTimeInSeconds": 86460,
    }
    assert job["CheckpointConfig"]["S3Uri"] == checkpoint
    assert job["OutputDataConfig"]["S3OutputPath"] == output
    assert job["ResourceConfig"]["InstanceType"] == "ml.c5.xlarge"
    channels = {channel["ChannelName"] for channel in job["InputDataConfig"]}
    assert channels == {"train", "code"}


def test_a_script_of_a_framework_runs_under_its_toolkit(place, jobs):
    place.write("source/learn.py", LEARNING)
    place.write("source/beside.txt", "comes along")
    data = place.write("rows.csv", "1,2,3\n")
    script, source = place.path("source/learn.py"), place.path("source")
    options = ["--source-dir", source, "--data", f"train={data}", "--hp", "rounds=7"]
    done = place.kiln("train", script, *options, "--metric", "rounds", timeout=CREATION)
    assert "    rounds=7 bytes=6 xgboost=3.0" in done.stdout
    assert re.search(r"^  rounds +7$", done.stdout, re.MULTILINE)
    name = re.search(r"Submitted +(\S+)", done.stdout).group(1)
    assert "/sagemaker-xgboost:" in jobs.describe(name)["AlgorithmSpecification"]["TrainingImage"]


def test_mistakes_are_told_before_anything_is_sent(place):
    script, plain = place.write("train.sh", "true"), place.write("plain.py", "print(1)")
    for arguments, status, said in (
        ([place.path("none.sh")], 1, "there is no script"),
        ([place.path("")], 1, "--source-dir"),
        ([plain], 1, "say what it runs in with --framework or --image"),
        ([script, "--image", "busybox", "--data", "train=/no/where"], 1, "/no/where"),
        ([script, "--image", "busybox", "--data", "train"], 2, "CHANNEL=DIR"),
        ([script, "--image", "busybox", "--data", "two words=x"], 2, "no name of a channel"),
        ([script, "--image", "busybox", "--hp", "x"], 2, "NAME=VALUE"),
        ([script, "--image", "busybox", "--framework", "pytorch"], 2, "cannot be used with"),
        ([script, "--image", "busybox", "--instance-type", "ml.none"], 1, "ValidationException"),
    ):
        assert said in place.kiln("train", *arguments, status=status).stderr


# Ctrl-C


def test_ctrl_c_in_a_pipe_leaves_the_job_running(place, jobs):
    script, name = place.write("long.sh", f"echo begun; {LINGER}"), fresh_name("long")
    following = subprocess.Popen(
        [harness.kiln_binary(), "train", script, "--image", "busybox", "--name", name],
        env=place.environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert any("begun" in line for line in following.stdout)
    following.send_signal(signal.SIGINT)
    _, said = following.communicate(timeout=WITHIN)
    assert following.returncode == 130
    assert f"{name} goes on" in said and f"kiln logs -f {name}" in said
    assert jobs.describe(name)["TrainingJobStatus"] == "InProgress"
    place.kiln("stop", name, "--wait")


@pytest.mark.parametrize(("answer", "status"), [("y\n", 5), ("\n", 130), ("\x03", 130)])
def test_ctrl_c_on_a_terminal_asks(place, jobs, answer, status):
    script, name = place.write("long.sh", f"echo begun; {LINGER}"), fresh_name("asked")
    terminal = place.terminal("train", script, "--image", "busybox", "--name", name)
    terminal.expect("    begun")
    terminal.type("\x03")
    terminal.expect("[y/N]")
    terminal.type(answer)
    assert terminal.end() == status, terminal.screen
    if status == 130:
        assert jobs.describe(name)["TrainingJobStatus"] == "InProgress"
        place.kiln("stop", name, "--wait")
    assert jobs.describe(name)["TrainingJobStatus"] == "Stopped"


# Looking


@pytest.fixture(scope="module")
def pair(jobs) -> tuple[str, str]:
    """Two jobs that have ended: one of two instances, and a later one that failed."""
    both = dict(jobs.request("")["ResourceConfig"], InstanceCount=2)
    good = completed(jobs.run("echo hello from $(hostname)", ResourceConfig=both))
    bad = jobs.run("exit 1")
    return good["TrainingJobName"], bad["TrainingJobName"]


def test_jobs_are_fields_in_a_pipe(place, pair):
    printed = place.kiln("jobs", "--limit", "1000").stdout
    rows = [line.split("\t") for line in printed.splitlines()]
    assert all(len(row) == 6 for row in rows)
    newer, older = [row for row in rows if row[0] in pair]
    assert newer[:2] == [pair[1], "Failed"] and older[:2] == [pair[0], "Completed"]
    assert older[4:] == ["2 × ml.m5.large", "training"]


def test_jobs_are_a_table_on_a_terminal(place, pair):
    terminal = place.terminal("jobs", "--status", "failed", "--limit", "1000")
    assert terminal.end() == 0
    head, *rows = terminal.plain().splitlines()
    assert head.split() == ["NAME", "STATUS", "AGE", "DURATION", "INSTANCES", "KIND"]
    assert {row.split()[1].lower() for row in rows} == {"failed"}
    (row,) = [row for row in rows if row.startswith(f"{pair[1]} ")]
    assert row.index("Failed") == head.index("STATUS")
    assert re.search(r"\x1b\[1;?[^m]*m?(\x1b\[)?31mFailed", terminal.screen)


def status_of(job: dict) -> str:
    """The status of a job of whichever kind, in lower case."""
    (status,) = [value for member, value in job.items() if member.endswith("JobStatus")]
    return status.lower()


def test_jobs_are_json_when_asked(place, pair):
    asked = place.kiln("jobs", "--json", "--limit", "2", "--status", "Completed")
    found = json.loads(asked.stdout)
    assert {status_of(job) for job in found} == {"completed"} and len(found) <= 2
    assert place.kiln("jobs", "--status", "Lost", status=2).stderr


def test_jobs_of_other_kinds_are_jobs_too(place, jobs):
    failed = Compilations(jobs).run(name=fresh_name("commands"))
    name = failed["CompilationJobName"]
    rows = [line.split("\t") for line in place.kiln("jobs", "--limit", "1000").stdout.splitlines()]
    (row,) = [row for row in rows if row[0] == name]
    assert row[1] == "FAILED" and row[4:] == ["-", "compilation"]
    asked = place.kiln("jobs", "--json", "--status", "failed", "--limit", "1000")
    found = [job.get("CompilationJobName") for job in json.loads(asked.stdout)]
    assert name in found
    page = place.kiln("describe", name).stdout
    assert page.startswith(f"{name}  FAILED\n  Reason      ClientError: InputConfiguration")
    assert "  Framework   XGBOOST\n  Target      ml_c5\n" in page
    assert f"\nInputs\n  model        s3://{jobs.bucket}/no/such/model.tar.gz\n" in page
    described = json.loads(place.kiln("describe", name, "--json").stdout)
    assert described["CompilationJobName"] == name
    said = place.kiln("stop", name, status=1).stderr
    assert "the compilation job is in status FAILED" in said


def test_a_job_is_a_page(place, pair):
    page = place.kiln("describe", pair[1]).stdout
    assert page.startswith(f"{pair[1]}  Failed\n  Reason      AlgorithmError")
    assert "\nTimeline\n" in page and re.search(r"^  Training +[\d.]+s", page, re.MULTILINE)
    described = json.loads(place.kiln("describe", pair[1], "--json").stdout)
    assert described["TrainingJobName"] == pair[1]
    said = place.kiln("describe", "nobody-knows-it", status=1).stderr
    assert "there is no job nobody-knows-it" in said and "kiln jobs" in said


def test_logs_name_the_instance_when_there_are_several(place, pair):
    lines = place.kiln("logs", pair[0]).stdout.splitlines()
    assert sorted(lines) == ["algo-1  hello from algo-1", "algo-2  hello from algo-2"]
    events = [
        json.loads(line) for line in place.kiln("logs", "--json", pair[0]).stdout.splitlines()
    ]
    assert {event["message"] for event in events} == {"hello from algo-1", "hello from algo-2"}
    assert all(event["stream"].startswith(f"{pair[0]}/algo-") for event in events)
    place.kiln("logs", "nobody-knows-it", status=1)
    assert place.kiln("logs", pair[1]).stdout == ""


def test_logs_are_followed_to_the_end_of_the_job(place):
    name = place.begin(f"for i in 1 2 3; do echo line $i; done; {LINGER}")
    following = subprocess.Popen(
        [harness.kiln_binary(), "logs", "-f", name],
        env=place.environment,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert [following.stdout.readline() for _ in range(3)] == [f"line {i}\n" for i in (1, 2, 3)]
    place.kiln("stop", name)
    rest, _ = following.communicate(timeout=WITHIN)
    assert following.returncode == 0 and rest == ""


def test_a_job_is_stopped_once(place):
    name = place.begin(LINGER)
    assert place.kiln("stop", name, "--wait").stdout == f"{name} is Stopped\n"
    assert "is in status Stopped" in place.kiln("stop", name, status=1).stderr
    assert "there is no job" in place.kiln("stop", "nobody", status=1).stderr


def test_a_reader_that_has_seen_enough_is_no_failure(place):
    name = place.begin("i=0; while [ $i -lt 30000 ]; do echo line $i; i=$((i+1)); done")
    place.kiln("logs", "-f", name)
    reader = subprocess.run(
        ["sh", "-c", f"{harness.kiln_binary()} logs {name} | head -n 1"],
        env=place.environment,
        capture_output=True,
        text=True,
        timeout=WITHIN,
        check=False,
    )
    assert (reader.stdout, reader.stderr) == ("line 0\n", "")


# Finding the server


def test_the_environment_names_the_server(place, jobs, pair):
    exports = jobs.server.exports()
    nowhere = {**exports, "KILN_DATA_DIR": place.path("nowhere")}
    assert place.kiln("describe", pair[0], **nowhere).stdout.startswith(pair[0])
    wrong = {**nowhere, "AWS_SECRET_ACCESS_KEY": "wrong"}
    assert "kiln env" in place.kiln("jobs", status=1, **wrong).stderr
    keyless = {**nowhere, "AWS_SECRET_ACCESS_KEY": ""}
    assert "AWS_SECRET_ACCESS_KEY is not" in place.kiln("jobs", status=1, **keyless).stderr
    # What the command line says counts for more.
    directory = str(jobs.server.data_dir)
    place.kiln("describe", pair[0], "--data-dir", directory, **wrong)


def test_without_a_server_a_command_says_how_to_start_one(place, jobs):
    nowhere = place.path("nowhere")
    for arguments in (["jobs"], ["cp", place.write("file", "x"), f"s3://{jobs.bucket}/x"]):
        said = place.kiln(*arguments, status=3, KILN_DATA_DIR=nowhere).stderr
        assert f"start one with: kiln serve --data-dir {nowhere}" in said
    assert not os.path.exists(nowhere)
    # The discard port: nobody listens there.
    dead = {**jobs.server.exports(), "AWS_ENDPOINT_URL": "http://127.0.0.1:9"}
    said = place.kiln("jobs", status=3, **dead).stderr
    assert "http://127.0.0.1:9 does not answer" in said and "kiln serve" in said


# Completions


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish", "elvish", "powershell"])
def test_every_shell_gets_its_hook(place, shell):
    hook = place.kiln("completions", shell).stdout
    assert "KILN_COMPLETE" in hook and "kiln" in hook


# Presses the tab key at the end of a line, given its words.
TAB = """
eval "$(kiln completions bash)"
COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)) COMP_TYPE=9
completer=$(complete -p kiln | sed 's/.* -F \\([^ ]*\\) .*/\\1/')
"$completer" kiln "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
printf '%s\\n' "${COMPREPLY[@]}"
"""


def test_a_line_is_completed_in_bash(place, pair):
    # The hook asks the program by its name.
    (place.directory / "kiln").symlink_to(harness.kiln_binary())
    path = f"{place.directory}:{os.environ['PATH']}"

    def completed_to(*words: str) -> list[str]:
        shell = ["bash", "--norc", "-c", TAB, "bash", "kiln", *words]
        environment = {**place.environment, "PATH": path}
        done = subprocess.run(
            shell,
            env=environment,
            capture_output=True,
            text=True,
            timeout=WITHIN,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.splitlines()

    assert completed_to("desc") == ["describe"]
    assert completed_to("train", "x.py", "--frame") == ["--framework"]
    assert completed_to("jobs", "--status", "Fa") == ["Failed"]
    assert completed_to("logs", pair[0]) == [pair[0]]
    operation = ("sagemaker", "list-training-jobs")
    assert completed_to("sagemaker", "list-tr") == [operation[1]]
    assert completed_to(*operation, "--sort") == ["--sort-by", "--sort-order"]
    assert completed_to(*operation, "--sort-by", "N") == ["Name"]
    assert completed_to(*operation, "--sort-by", "Name", "--output", "te") == ["text"]
    assert completed_to("sagemaker", "wait", "train") == ["training-job-completed-or-stopped"]


def test_the_names_of_jobs_are_completed(place, pair):
    asking = {"KILN_COMPLETE": "bash", "_CLAP_IFS": "\n", "_CLAP_COMPLETE_INDEX": "2"}
    found = place.kiln("--", "kiln", "describe", pair[0][:4], **asking).stdout.split("\n")
    assert pair[0] in found
    nobody = place.kiln("--", "kiln", "stop", "", **asking, KILN_DATA_DIR=place.path("no"))
    assert "script" not in nobody.stdout and nobody.stderr == ""
