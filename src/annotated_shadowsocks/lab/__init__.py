"""One script on the model and on the live kernel, and the verdict on the two."""

__all__: list[str] = []
