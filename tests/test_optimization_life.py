"""The life of an optimization: its steps, in containers of its own and of others, and what
becomes of it when its agent dies.

What stays of instances, processes, mounts and control groups is looked for after each
test, as after every other.
"""

import json
import os
import random
import re
import subprocess

import pytest

from harness import archives
from harness.crashes import AGENT, BOTH, MACHINE
from harness.fault_proxy import in_front_of
from harness.held import HeldOptimizations
from harness.jobs import ROLE, Jobs, fresh_name
from harness.optimizations import (
    COMPILED,
    COPY,
    ENTRY_POINT,
    IMAGE,
    INPUT,
    Optimizations,
    by_image,
    llama,
    optimizer_image,
    quantization,
    safetensors,
    tensors_of,
)
from harness.server import Server

ENGINE = os.environ.get("KILN_TEST_DOCKER_HOST")
KEY = "arn:aws:kms:us-east-1:123456789012:key/12345678-90ab-cdef-1234-567890abcdef"


@pytest.fixture(scope="session")
def image(tmp_path_factory):
    """An image that does what it is told, as `docker save` would write it."""
    return optimizer_image(tmp_path_factory.mktemp("optimizer-image"))


@pytest.fixture(scope="module")
def shared(image):
    """Optimizations on a server that the tests of this file share."""
    server = Server(images={IMAGE: image}).start()
    yield Optimizations(Jobs(server))
    server.close()


@pytest.fixture
def own(image):
    """Optimizations on the test's own server."""
    server = Server(images={IMAGE: image}).start()
    yield Optimizations(Jobs(server))
    server.close()


def test_a_model_is_quantized_and_stored_as_a_whole(shared):
    model = llama()
    name = shared.optimize(shared.put(model), quantization(OPTION_QUANTIZE="w4a16"))
    job = shared.completed(name)
    files = shared.outputs(name)
    config = json.loads(files["config.json"])
    assert config["quantization_config"]["quant_method"] == "compressed-tensors"
    weights = [tensors_of(body) for path, body in files.items() if path.endswith(".safetensors")]
    tensors = {name: tensor for file in weights for name, tensor in file.items()}
    assert tensors["model.layers.1.mlp.up_proj.weight_packed"]["shape"] == [256, 16]
    assert tensors["lm_head.weight"]["dtype"] == "BF16"
    for carried in ("generation_config.json", "tokenizer_config.json"):
        assert files[carried] == model[carried]
    assert "optimization-report.json" in files
    assert "failure" not in files
    assert job["OptimizationStartTime"] <= job["OptimizationEndTime"]
    lines = shared.lines(name)
    assert any("step 1 of 1: Quantization" in line for line in lines), lines
    assert any(line.startswith("Kiln: fetching the model from") for line in lines), lines


def test_a_model_that_is_broken_fails_with_the_reason_and_stores_nothing(shared):
    model = llama()
    model["model.safetensors"] = model["model.safetensors"][:-100]
    name = shared.optimize(shared.put(model), quantization(OPTION_QUANTIZE="w8a16"))
    job = shared.wait(name)
    assert job["OptimizationJobStatus"] == "FAILED"
    assert job["FailureReason"].startswith("ClientError: "), job
    assert "model.safetensors" in job["FailureReason"]
    assert shared.left_nothing(name)


def test_an_image_finds_the_contract(shared):
    """Its variables, directories, entry point, command, keys and network."""
    script = f"{COPY}; env > {COMPILED}/env.txt; ls -d /opt/ml/*/* > {COMPILED}/places.txt"
    settings = by_image(script, OPTION_TENSOR_PARALLEL_DEGREE="2", OPTION_X="override")
    model = {"config.json": b"{}", "deep/tokenizer.json": b"[]"}
    more = {"OptimizationEnvironment": {"OPTION_X": "base", "OPTION_Y": "base"}}
    name = shared.optimize(shared.put(model), settings, **more)
    job = shared.completed(name)
    files = shared.outputs(name)
    assert files["config.json"] == b"{}" and files["deep/tokenizer.json"] == b"[]"
    found = dict(line.split("=", 1) for line in files["env.txt"].decode().splitlines())
    expected = {
        "SM_NEO_EXECUTION_CONTEXT": "1",
        "SM_NEO_INPUT_MODEL_DIR": "/opt/ml/model/input",
        "SM_NEO_COMPILED_MODEL_DIR": "/opt/ml/model/compiled",
        "SM_NEO_COMPILATION_ERROR_FILE": "/opt/ml/compilation/errors/errors.json",
        "SM_NEO_CACHE_DIR": "/opt/ml/compilation/cache",
        "SM_NEO_HF_CACHE_DIR": "/opt/ml/compilation/cache",
        "COMPILER_OPTIONS": "{}",
        "OPTION_TENSOR_PARALLEL_DEGREE": "2",
        "OPTION_X": "override",
        "OPTION_Y": "base",
        "AWS_REGION": "us-east-1",
    }
    assert expected.items() <= found.items()
    assert found["AWS_ACCESS_KEY_ID"] and found["AWS_ENDPOINT_URL"].startswith("http://")
    places = files["places.txt"].decode().split()
    for place in ("model/input", "model/compiled", "compilation/errors", "compilation/cache"):
        assert f"/opt/ml/{place}" in places
    assert job["OptimizationOutput"]["RecommendedInferenceImage"] == IMAGE


def test_an_image_finds_the_data_that_the_step_names(shared):
    uri = shared.jobs.put("texts/all/a.jsonl", b'{"text": "a"}')
    script = f"{COPY}; cp /opt/ml/input/data/training/a.jsonl {COMPILED}"
    step = by_image(script, OPTION_CALIBRATION_DATA=uri.removesuffix("/a.jsonl"))
    name = shared.optimize(shared.put({"config.json": b"{}"}), step)
    shared.completed(name)
    assert shared.outputs(name)["a.jsonl"] == b'{"text": "a"}'


def test_a_model_may_come_as_one_archive(shared):
    packed = archives.make({"config.json": b"{}", "deep/merges.txt": b"m"})
    model = fresh_name("model")
    shared.sagemaker.create_model(
        ModelName=model,
        ExecutionRoleArn=ROLE,
        PrimaryContainer={
            "Image": IMAGE,
            "ModelDataUrl": shared.jobs.put(f"packed/{model}.tar.gz", packed),
        },
    )
    name = shared.optimize("", by_image(COPY), ModelSource={"SageMakerModel": {"ModelName": model}})
    shared.completed(name)
    assert shared.outputs(name) == {"config.json": b"{}", "deep/merges.txt": b"m"}


def test_what_is_stored_is_encrypted_with_the_key_that_is_named(shared):
    name = fresh_name("optimization")
    output = {"S3OutputLocation": f"s3://{shared.bucket}/out/{name}", "KmsKeyId": KEY}
    model = shared.put({"config.json": b"{}"})
    shared.completed(shared.optimize(model, by_image(COPY), name=name, OutputConfig=output))
    head = shared.jobs.s3.head_object(Bucket=shared.bucket, Key=f"out/{name}/config.json")
    assert (head["ServerSideEncryption"], head["SSEKMSKeyId"]) == ("aws:kms", KEY)


@pytest.mark.skipif(ENGINE is None, reason="KILN_TEST_DOCKER_HOST names no engine")
def test_an_image_of_an_engine_starts_as_it_says_itself(busybox):
    root = subprocess.run(["tar", "-C", busybox, "-c", "."], capture_output=True, check=True)
    changes = [f"ENTRYPOINT {json.dumps(ENTRY_POINT)}", 'CMD ["eval \\"$OPTION_SCRIPT\\""]']
    options = [option for change in changes for option in ("--change", change)]
    command = ["docker", "-H", ENGINE, "import", *options, "-", "kiln-test/optimizer:latest"]
    subprocess.run(command, input=root.stdout, check=True, capture_output=True)
    server = Server(environment={"DOCKER_HOST": ENGINE}).start()
    optimizations = Optimizations(Jobs(server))
    step = by_image(COPY)
    step["ModelQuantizationConfig"]["Image"] = "kiln-test/optimizer:latest"
    name = optimizations.optimize(optimizations.put({"config.json": b"{}"}), step)
    optimizations.completed(name)
    assert optimizations.outputs(name) == {"config.json": b"{}"}
    server.close()


def test_an_image_does_not_change_the_model_that_it_is_given(shared):
    script = f"echo x > {INPUT}/new || echo refused; {COPY}"
    name = shared.optimize(shared.put({"config.json": b"{}"}), by_image(script))
    shared.completed(name)
    assert set(shared.outputs(name)) == {"config.json"}
    assert "refused" in shared.lines(name)


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        (
            'echo \'{"error": "Fatal(no such method)"}\' > $SM_NEO_COMPILATION_ERROR_FILE; exit 1',
            "Fatal(no such method)",
        ),
        (
            f"{COPY}; echo Traceback; echo KeyError: x >&2; exit 3",
            "AlgorithmError: KeyError: x, exit code: 3",
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
    name = shared.optimize(shared.put({"config.json": b"{}"}), by_image(script))
    job = shared.wait(name)
    assert (job["OptimizationJobStatus"], job["FailureReason"]) == ("FAILED", reason)
    assert shared.left_nothing(name)


def test_an_image_that_is_nowhere_is_the_requests_fault(shared):
    config = {"ModelQuantizationConfig": {"Image": "no/such:1"}}
    name = shared.optimize(shared.put({"config.json": b"{}"}), config)
    job = shared.wait(name)
    assert job["OptimizationJobStatus"] == "FAILED"
    assert "Cannot pull algorithm container" in job["FailureReason"]


def test_each_step_works_on_what_the_one_before_has_made(shared):
    script = f"{COPY}; ls {INPUT} > {COMPILED}/given.txt"
    compilation = by_image(script, kind="ModelCompilationConfig")
    first = quantization(OPTION_QUANTIZE="w8a16")
    name = shared.optimize(shared.put(llama()), first, compilation)
    shared.completed(name)
    files = shared.outputs(name)
    assert "quantization_config" in json.loads(files["config.json"])
    assert "optimization-report.json" in files["given.txt"].decode().split()


def test_only_plain_files_are_stored(shared):
    script = f"{COPY}; cd {COMPILED}; ln -s /etc/passwd link; mkfifo pipe; ln -s / root"
    name = shared.optimize(shared.put({"config.json": b"{}"}), by_image(script))
    shared.completed(name)
    assert set(shared.outputs(name)) == {"config.json"}
    assert "Kiln: link is a link, and is not stored" in shared.lines(name)


def test_large_files_are_stored_in_parts_and_the_configuration_last(own):
    body = safetensors({"w": [1 << 12, 1 << 12]})
    model = {"config.json": b"{}", "model.safetensors": body, "z.txt": b"z"}
    uri = own.put(model)
    proxy = in_front_of(own.server)
    name = own.optimize(uri, by_image(COPY))
    own.completed(name)
    assert own.outputs(name) == model
    made = [one.path for one in proxy.seen if "uploadId=" in one.path and one.method == "POST"]
    assert [path.partition("?")[0].rpartition("/")[2] for path in made][-1] == "config.json"
    parts = {one.path for one in proxy.seen if one.writes("model.safetensors")}
    assert len(parts) == 5, parts
    proxy.close()


# The first time it waits to be killed, the second time it finds what it had.
TWICE = f"{COPY}; cd $SM_NEO_CACHE_DIR; [ -e x ] && exit; touch x; echo working; sleep 600"


@pytest.mark.parametrize("victim", [AGENT, BOTH, MACHINE], ids=lambda victim: victim.name)
def test_an_optimization_whose_agent_dies_goes_on_where_it_was(own, victim):
    model = {"config.json": b"{}", "model.safetensors": safetensors({"w": [64, 64]})}
    uri = own.put(model)
    first = by_image(f"{COPY}; echo once >> {COMPILED}/log")
    second = by_image(TWICE, kind="ModelCompilationConfig")
    name = own.optimize(uri, first, second)
    own.wait_for_line(name, "working")
    # Neither fetched nor worked on again: it is not even there any more.
    for key in model:
        own.jobs.s3.delete_object(
            Bucket=own.bucket, Key=f"{uri.removeprefix(f's3://{own.bucket}/')}/{key}"
        )
    victim.strike(own.server)
    if victim.server:
        own.server.start()
        own.jobs.reconnect()
    own.completed(name)
    assert own.outputs(name) == {**model, "log": b"once\n"}


def test_a_calibration_whose_agent_dies_goes_on_at_its_layer(own):
    numbers = random.Random(3)
    samples = [[numbers.randrange(256) for _ in range(64)] for _ in range(24)]
    text = "\n".join(json.dumps({"input_ids": sample}) for sample in samples)
    data = own.jobs.put("tokens/a.jsonl", text).removesuffix("/a.jsonl")
    step = quantization(OPTION_QUANTIZE="gptq", OPTION_CALIBRATION_DATA=data)
    name = own.optimize(own.put(llama(layers=6)), step)
    later = re.compile(r"of the calibration.*model\.layers\.[1-4]\.")
    own.wait_until(name, lambda _: any(later.search(line) for line in own.lines(name)))
    AGENT.strike(own.server)
    own.completed(name)
    config = json.loads(own.outputs(name)["config.json"])
    assert config["quantization_config"]["quant_method"] == "gptq"
    lines = own.lines(name)
    assert any("went on at layer" in line for line in lines), lines


def test_an_agent_that_dies_while_it_fetches_fetches_again(own):
    with HeldOptimizations(own).download() as name:
        AGENT.strike(own.server)
        own.completed(name)
    assert own.outputs(name) == {"a.txt": b"a", "config.json": b"{}"}


def test_an_agent_that_dies_while_it_stores_stores_again(own):
    with HeldOptimizations(own).upload() as name:
        AGENT.strike(own.server)
        own.completed(name)
    assert own.outputs(name) == {"a.txt": b"a", "config.json": b"{}"}
