"""Values of parameters whose type is said."""


def ParameterValue(value: object, *, value_type: type) -> object:
    return value_type(value)
