"""How DynamoDB says no, where several operations say it alike. What only one says stands with that one."""

from atoll.aws.errors import AwsError


def validation(message: str) -> AwsError:
    return AwsError("ValidationException", message)


def invalid(message: str) -> AwsError:
    """Of a parameter whose value does not do."""
    return validation(f"One or more parameter values were invalid: {message}")


def not_found(what: str | None = None) -> AwsError:
    """`what` with its kind: "Table: music". None: AWS does not tell."""
    about = "" if what is None else f": {what} not found"
    return AwsError("ResourceNotFoundException", f"Requested resource not found{about}")


def in_use(what: str) -> AwsError:
    return AwsError("ResourceInUseException", f"Attempt to change a resource which is still in use: {what}")
