"""shadowsocks."""

__all__: list[str] = []
