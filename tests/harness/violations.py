"""The words in which AWS says that a request violates the model's constraints."""

import botocore.session


def enum(shape: str) -> str:
    """The values of an enumeration, as AWS prints them."""
    model = botocore.session.get_session().get_service_model("sagemaker")
    return f"Member must satisfy enum value set: [{', '.join(model.shape_for(shape).enum)}]"


def said(*violations: tuple[str, str, str]) -> str:
    """AWS's text for these (value, path, constraint) violations."""
    count = len(violations)
    head = f"{count} validation error{'s' if count > 1 else ''} detected: "
    return head + "; ".join(
        f"Value {value} at '{path}' failed to satisfy constraint: {constraint}"
        for value, path, constraint in violations
    )


def at_most(limit: int) -> str:
    """The constraint on a length that is too great."""
    return f"Member must have length less than or equal to {limit}"


NULL = "Member must not be null"
AT_LEAST_ONE = "Member must have length greater than or equal to 1"
