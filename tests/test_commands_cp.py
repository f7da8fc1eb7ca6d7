"""`kiln cp`: files to objects and objects to files."""

import json
import os

import pytest

from harness.jobs import fresh_name
from harness.place import Place


@pytest.fixture
def place(tmp_path, server) -> Place:
    """A directory to work in, where commands find the shared server."""
    return Place(tmp_path, server)


def test_files_come_back_as_they_went(place, jobs):
    whole = os.urandom((17 << 20) + 5)
    place.write("there/large.bin", whole)
    place.write("there/deep/small.txt", "small")
    place.write("there/empty", "")
    target = f"s3://{jobs.bucket}/{fresh_name('tree')}"
    told = json.loads(place.kiln("cp", "-r", place.path("there"), target, "--json").stdout)
    assert told == {"Files": 3, "Bytes": len(whole) + 5}
    place.kiln("cp", "-r", target, place.path("back"))
    found = {
        str(path.relative_to(place.directory / "back")): path.read_bytes()
        for path in (place.directory / "back").rglob("*")
        if path.is_file()
    }
    assert found == {"large.bin": whole, "deep/small.txt": b"small", "empty": b""}


def test_one_file_keeps_its_name_in_a_directory(place, jobs):
    file, prefix = place.write("name.txt", "text"), f"s3://{jobs.bucket}/{fresh_name('one')}/"
    place.kiln("cp", file, prefix)
    place.kiln("cp", f"{prefix}name.txt", place.path("other.txt"))
    place.kiln("cp", f"{prefix}name.txt", place.path("new") + "/")
    for copy in ("other.txt", "new/name.txt"):
        assert (place.directory / copy).read_text() == "text"
    mask = os.umask(0)
    os.umask(mask)
    assert (place.directory / "other.txt").stat().st_mode & 0o777 == 0o666 & ~mask


def test_a_copy_that_fails_leaves_what_was_there(place, jobs):
    file = place.write("kept.txt", "kept")
    said = place.kiln("cp", f"s3://{jobs.bucket}/not-there", file, status=1).stderr
    assert f"s3://{jobs.bucket}/not-there" in said
    assert (place.directory / "kept.txt").read_text() == "kept"
    assert os.listdir(place.directory) == ["kept.txt"]


def test_mistakes_in_copying_say_what_to_do(place, jobs):
    file, place_in_s3 = place.write("file", "x"), f"s3://{jobs.bucket}/{fresh_name('no')}"
    place.write("tree/file", "x")
    (place.directory / "bare").mkdir()
    for arguments, said in (
        ([place.path("tree"), place_in_s3], "kiln cp -r"),
        ([f"{place_in_s3}/", "."], "kiln cp -r"),
        (["-r", place_in_s3, "."], "there is nothing at"),
        (["-r", place.path("bare"), place_in_s3], "there is no file in"),
        ([place_in_s3, "."], f"there is no object {place_in_s3}"),
        (["s3://no-such-bucket-here/x", "."], "there is no bucket no-such-bucket-here"),
        (["-", place_in_s3], "put it in a file first"),
        ([file, "other"], "must begin with s3://"),
        ([file, "s3://no-such-bucket-here/"], "aws s3 mb s3://no-such-bucket-here"),
        ([place.path("none"), place_in_s3], "none: No such file"),
    ):
        assert said in place.kiln("cp", *arguments, status=1).stderr


def test_a_prefix_is_no_object(place, jobs):
    prefix = fresh_name("prefix")
    jobs.put(f"{prefix}/file", "x")
    assert "kiln cp -r" in place.kiln("cp", f"s3://{jobs.bucket}/{prefix}", ".", status=1).stderr


def test_an_object_is_printed(place, jobs):
    uri = jobs.put(fresh_name("printed"), "one line\n")
    assert place.kiln("cp", uri, "-").stdout == "one line\n"
    assert os.listdir(place.directory) == []
    said = place.kiln("cp", f"{uri}-not", "-", status=1).stderr
    assert f"there is no object {uri}-not" in said


def test_long_work_has_a_bar_on_a_terminal_only(place, jobs):
    large = place.write("large.bin", os.urandom(20 << 20))
    target = f"s3://{jobs.bucket}/{fresh_name('bar')}"
    terminal = place.terminal("cp", large, target)
    assert terminal.end() == 0, terminal.screen
    assert "Copying" in terminal.screen and "/20.00 MiB" in terminal.screen
    quiet = place.kiln("cp", target, place.path("copy.bin"))
    assert quiet.stdout + quiet.stderr == ""
