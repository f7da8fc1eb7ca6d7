"""Checks the input channels that the job declares against what the algorithm reads."""

from email.message import Message

from kiln_environment.xgboost.failure import UserError

CSV = "csv"
LIBSVM = "libsvm"

CONTENT_TYPES = {
    "csv": CSV,
    "libsvm": LIBSVM,
    "text/csv": CSV,
    "text/libsvm": LIBSVM,
    "text/x-libsvm": LIBSVM,
}
REQUIRED = {"train": True, "validation": False, "code": False}
DISTRIBUTIONS = ("FullyReplicated", "ShardedByS3Key")


def validate(declared):
    """Returns the file format of each data channel, from `inputdataconfig.json`."""
    for name, required in REQUIRED.items():
        if required and name not in declared:
            raise UserError(f"Missing required channel: {name}")
    for name, channel in declared.items():
        if name not in REQUIRED:
            raise UserError(f"Extraneous channel found: {name}")
        validate_delivery(name, channel)
    return {
        name: file_format(channel.get("ContentType"))
        for name, channel in declared.items()
        if name != "code"
    }


def validate_delivery(name, channel):
    """Checks how the channel's data reach the container."""
    try:
        supported = (
            channel["TrainingInputMode"] == "File"
            and channel["S3DistributionType"] in DISTRIBUTIONS
        )
    except KeyError as error:
        raise UserError(f"Channel configuration for '{name}' channel lacks {error}") from error
    if not supported:
        raise UserError(f"Channel configuration for '{name}' channel is not supported: {channel}")


def file_format(content_type):
    """The file format that a `ContentType` stands for; libsvm when there is none."""
    if content_type is None:
        return LIBSVM
    header = Message()
    header["Content-Type"] = content_type.lower()
    kind, *parameters = header.get_params()
    if kind[0] not in CONTENT_TYPES:
        accepted = ", ".join(CONTENT_TYPES)
        raise UserError(f"{content_type} is not an accepted ContentType: {accepted}.")
    found = CONTENT_TYPES[kind[0]]
    if found == CSV and dict(parameters).get("label_size", "1") != "1":
        raise UserError(
            f"{content_type} is not an accepted csv ContentType. "
            "Optional parameter label_size must be equal to 1"
        )
    return found
