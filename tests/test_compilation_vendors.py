"""Compilations for targets that only their makers' compilers build for: an image that
the operator has configured compiles in place of Kiln, and Kiln says so.

All of it happens with an image of Kiln's own, and with one of a container engine where
KILN_TEST_DOCKER_HOST names its socket, such as `unix:///run/docker.sock`.
"""

import hashlib
import json
import os
import subprocess

import pytest
from botocore.exceptions import ClientError

from harness import archives
from harness.compilations import Compilations
from harness.images import docker_archive
from harness.jobs import LINGER, Jobs
from harness.rootfs import make_busybox_rootfs
from harness.server import Server, kiln

IMAGE = "neuron-compiler:1"
CONFIGURATION = f'[compilation.images]\nml_inf1 = "{IMAGE}"\namba_cv22 = "no/such:1"\n'
COPY = "cp $SM_NEO_INPUT_MODEL_DIR/model.pt $SM_NEO_COMPILED_MODEL_DIR/model.neff"
ERROR_FILE = "$SM_NEO_COMPILATION_ERROR_FILE"
INPUTS = "{'x': [1, 3]}"
OPTIONS = '"--verbose 1 -O2"'


ENGINE = os.environ.get("KILN_TEST_DOCKER_HOST")
START = {"Entrypoint": ["/bin/sh", "-c"], "Cmd": [". $SM_NEO_INPUT_MODEL_DIR/compile.sh"]}


def import_into_engine(rootfs) -> None:
    """Gives the engine the image."""
    packed = subprocess.run(["tar", "-C", rootfs, "-c", "."], capture_output=True, check=True)
    changes = [f"--change={key.upper()} {json.dumps(value)}" for key, value in START.items()]
    command = ["docker", "-H", ENGINE, "import", *changes, "-", IMAGE]
    subprocess.run(command, input=packed.stdout, check=True, capture_output=True)


@pytest.fixture(scope="module", params=["registered", "engine"])
def shared(request, tmp_path_factory):
    """Compilations on a server with an image that runs the script in its model."""
    place = tmp_path_factory.mktemp("vendor")
    rootfs = make_busybox_rootfs(place / "rootfs")
    if request.param == "registered":
        server = Server(images={IMAGE: docker_archive(place / "compiler.tar", rootfs, START)})
    elif ENGINE is None:
        pytest.skip("KILN_TEST_DOCKER_HOST names no engine")
    else:
        import_into_engine(rootfs)
        server = Server(environment={"DOCKER_HOST": ENGINE})
    (server.data_dir / "kiln.toml").write_text(CONFIGURATION)
    yield Compilations(Jobs(server.start()))
    server.close()


def create(shared: Compilations, script: str, device: str = "ml_inf1") -> str:
    """Creates a job whose image runs this script, and returns its name at once."""
    model = shared.put({"compile.sh": script.encode(), "model.pt": b"weights"})
    target = {"TargetDevice": device, "CompilerOptions": OPTIONS}
    inputs = {"FrameworkVersion": "2.0", "DataInputConfig": INPUTS}
    return shared.compile(model, "PYTORCH", target, inputs)


def test_an_image_compiles_in_place_of_kiln(shared):
    look = 'cd "$SM_NEO_COMPILED_MODEL_DIR"; env > env.txt; ln -s /etc/passwd link'
    net = "grep -o '[a-z0-9]*:' /proc/net/dev > net.txt"
    lie = "echo '{}' > kiln-report.json; touch $SM_NEO_INPUT_MODEL_DIR/x || echo refused"
    name = create(shared, f"{COPY}; {look}; {net}; {lie}; echo compiled")
    job = shared.completed(name)
    uri = f"s3://{shared.bucket}/out/{name}/model-ml_inf1.tar.gz"
    assert job["ModelArtifacts"]["S3ModelArtifacts"] == uri
    artifact = shared.outputs(name)["model-ml_inf1.tar.gz"]
    assert job["ModelDigests"]["ArtifactDigest"] == hashlib.blake2b(artifact).hexdigest()

    files = archives.files(artifact)
    expected = {"env.txt", "kiln-report.json", "manifest", "model.neff", "net.txt"}
    assert set(files) == expected
    assert (files["model.neff"], files["net.txt"]) == (b"weights", b"lo:\n")
    told = dict(line.split("=", 1) for line in files["env.txt"].decode().splitlines())
    contract = {
        "SM_NEO_EXECUTION_CONTEXT": "1",
        "SM_NEO_INPUT_MODEL_DIR": "/opt/ml/model/input",
        "SM_NEO_COMPILED_MODEL_DIR": "/opt/ml/model/compiled",
        "SM_NEO_COMPILATION_ERROR_FILE": "/opt/ml/compilation/errors/errors.json",
        "SM_NEO_CACHE_DIR": "/opt/ml/compilation/cache",
        "COMPILER_OPTIONS": OPTIONS,
        "KILN_DATA_INPUT_CONFIG": INPUTS,
        "KILN_FRAMEWORK": "PYTORCH",
        "KILN_FRAMEWORK_VERSION": "2.0",
        "KILN_TARGET": "ml_inf1",
    }
    assert contract.items() <= told.items()
    assert not any("SECRET" in key or "TOKEN" in key for key in told)

    report = json.loads(files["kiln-report.json"])
    reason = f"built by {IMAGE}, not verified by Kiln"
    assert report["verification"] == {"verdict": "built_not_run", "reason": reason}
    assert (report["framework"], report["target"]) == ("PYTORCH", "ml_inf1")
    manifest = json.loads(files["manifest"])["Files"]
    assert set(manifest) == expected - {"manifest"}
    digest = hashlib.blake2b(files["model.neff"]).hexdigest()
    assert manifest["model.neff"] == {"Bytes": 7, "Blake2b": digest}

    lines = shared.lines(name)
    assert f"Kiln: {IMAGE} compiles for ml_inf1, in place of Kiln" in lines
    assert "Kiln: link is a link, and is not stored" in lines
    assert "Kiln: kiln-report.json is Kiln's own, and replaced" in lines
    assert "compiled" in lines and "refused" in lines


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        (f'echo \'{{"error": "No such op: X"}}\' > {ERROR_FILE}; exit 1', "No such op: X"),
        (
            f"{COPY}; echo KeyError: x >&2; exit 3",
            "ClientError: CompilationError: Unable to compile model for ml_inf1: (exit code 3) "
            "KeyError: x",
        ),
        (
            "true",
            f"ClientError: The container of {IMAGE} ended with exit code 0 and left no file in "
            "/opt/ml/model/compiled",
        ),
    ],
    ids=["errors.json", "exit code", "nothing"],
)
def test_an_image_that_fails_says_why(shared, script, reason):
    name = create(shared, script)
    job = shared.wait(name)
    assert (job["CompilationJobStatus"], job["FailureReason"]) == ("FAILED", reason)
    assert shared.left_nothing(name)


def test_an_image_that_is_nowhere_fails_the_job(shared):
    job = shared.wait(create(shared, COPY, device="amba_cv22"))
    assert job["CompilationJobStatus"] == "FAILED"
    assert "Cannot pull algorithm container" in job["FailureReason"]


def test_an_image_that_works_on_is_stopped(shared):
    name = create(shared, f"{COPY}; echo working; {LINGER}")
    shared.wait_for_line(name, "working")
    shared.stop(name)
    assert shared.wait(name)["CompilationJobStatus"] == "STOPPED"
    assert shared.left_nothing(name)


def test_a_target_without_an_image_is_refused_as_ever(shared):
    with pytest.raises(ClientError, match="needs AWS's Neuron compiler, which is not available"):
        create(shared, COPY, device="ml_inf2")


def test_an_image_for_a_target_of_kilns_own_keeps_the_server_from_starting(tmp_path):
    (tmp_path / "kiln.toml").write_text('[compilation.images]\nml_c5 = "mine:1"\n')
    refused = kiln("serve", "--data-dir", str(tmp_path), "--listen", "127.0.0.1:0")
    assert refused.returncode != 0
    assert "[compilation.images] names ml_c5" in refused.stderr
