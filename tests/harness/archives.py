"""Gzipped archives: those that jobs are given, and those that they leave behind."""

import gzip
import io
import tarfile


def members(body: bytes) -> dict[str, tarfile.TarInfo]:
    """The members of a gzipped tar, by their name as stored."""
    with tarfile.open(fileobj=io.BytesIO(body), mode="r:gz") as archive:
        return {member.name: member for member in archive.getmembers()}


def files(body: bytes) -> dict[str, bytes]:
    """The regular files of a gzipped tar and their bytes."""
    found = {}
    with tarfile.open(fileobj=io.BytesIO(body), mode="r:gz") as archive:
        for member in archive.getmembers():
            if member.isfile():
                found[member.name] = archive.extractfile(member).read()
    return found


def raw_headers(body: bytes) -> list[bytes]:
    """The 512-byte headers of a gzipped tar, in their order."""
    data, headers, position = gzip.decompress(body), [], 0
    while position + 512 <= len(data) and data[position] != 0:
        header = data[position : position + 512]
        headers.append(header)
        size = int(header[124:136].rstrip(b"\0 ") or b"0", 8)
        position += 512 + (size + 511) // 512 * 512
    return headers


def make(entries: dict[str, str | bytes]) -> bytes:
    """A gzipped tar of these files, such as a sourcedir.tar.gz or a model's archive."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz", compresslevel=1) as archive:
        for name, content in entries.items():
            data = content.encode() if isinstance(content, str) else content
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(data), 0o755
            archive.addfile(member, io.BytesIO(data))
    return buffer.getvalue()
