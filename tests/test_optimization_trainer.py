"""EAGLE heads, which an image trains that the operator has configured, from data at a prefix
or in a manifest."""

import json

import pytest

from harness.identities import refused
from harness.jobs import Jobs, fresh_name
from harness.optimizations import COPY, IMAGE, Optimizations, optimizer_image
from harness.server import Server

# Learns all that it finds by heart.
TRAIN = (
    f"{COPY}; cd /opt/ml/input/data/training; "
    "cat $(find . -type f | sort) > $SM_NEO_COMPILED_MODEL_DIR/eagle"
)


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    """Optimizations on a server with a trainer that runs the job's script."""
    image = optimizer_image(tmp_path_factory.mktemp("trainer"))
    server = Server(images={IMAGE: image})
    (server.data_dir / "kiln.toml").write_text(f'[optimization]\neagle_image = "{IMAGE}"\n')
    yield Optimizations(Jobs(server.start()))
    server.close()


def eagle(uri: str, kind: str) -> dict:
    """The step that learns from this."""
    source = {"S3Uri": uri, "S3DataType": kind}
    return {"ModelSpeculativeDecodingConfig": {"Technique": "EAGLE", "TrainingDataSource": source}}


def train(shared: Optimizations, step: dict) -> str:
    """Creates a job and returns its name at once."""
    model = shared.put({"config.json": b"{}"})
    return shared.optimize(model, step, OptimizationEnvironment={"OPTION_SCRIPT": TRAIN})


def chats(shared: Optimizations) -> str:
    """Stores data of which a manifest may list a part."""
    return shared.put({"a.jsonl": b"a\n", "deep/b.jsonl": b"b\n", "other.jsonl": b"o\n"})


def test_the_configured_image_trains_on_all_below_a_prefix(shared):
    name = train(shared, eagle(chats(shared), "S3Prefix"))
    job = shared.completed(name)
    assert shared.outputs(name) == {"config.json": b"{}", "eagle": b"a\nb\no\n"}
    image = job["OptimizationOutput"]["RecommendedInferenceImage"]
    assert "djl-inference" in image
    assert f"Kiln: step 1 of 1: SpeculativeDecoding by {IMAGE}" in shared.lines(name)


def test_the_configured_image_trains_on_what_a_manifest_lists(shared):
    uri = chats(shared)
    manifest = json.dumps([{"prefix": f"{uri}/"}, "a.jsonl", "deep/b.jsonl"])
    key = fresh_name("lists/chats")
    name = train(shared, eagle(shared.jobs.put(key, manifest), "ManifestFile"))
    shared.completed(name)
    assert shared.outputs(name) == {"config.json": b"{}", "eagle": b"a\nb\n"}


def test_a_manifest_is_one_object_that_is_there(shared):
    uri = shared.jobs.put("lists/all.manifest.old", "[]").removesuffix(".old")
    with refused("ValidationException", "No S3 objects found under S3 URL"):
        train(shared, eagle(uri, "ManifestFile"))
    with refused("ValidationException", "does not name a manifest file"):
        train(shared, eagle(f"s3://{shared.bucket}/lists/", "ManifestFile"))


def test_an_archive_is_one_object_that_is_there(shared):
    uri = shared.jobs.put("packed/m.tar.gz.old", "").removesuffix(".old")
    step = eagle(chats(shared), "S3Prefix")
    with refused("ValidationException", "No S3 objects found under S3 URL"):
        shared.optimize(uri, step)
