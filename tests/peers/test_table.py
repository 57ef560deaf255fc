from peers.table import table


def test_a_row_for_each_method_and_a_column_for_each_peer() -> None:
    cells = [
        ("there", "aes-256-gcm", "sing-box", "TCP", "v4", True),
        ("there", "aes-256-gcm", "sing-box", "UDP", "v4", True),
        ("there", "aes-128-gcm", "v2ray", "TCP", "v4", True),
        ("there", "aes-128-gcm", "v2ray", "UDP", "v4", True),
        ("there", "aes-128-gcm", "v2ray", "UDP", "v6", False),
        ("there", "aes-128-gcm", "v2ray", "UDP", "name", False),
        ("back", "rc4", "pproxy", "TCP", "v4", True),
    ]
    assert table(cells) == {
        "back": ["     pproxy", "rc4  TCP"],
        "there": [
            "             v2ray               sing-box",
            "aes-128-gcm  TCP UDP(-v6,-name)  -",
            "aes-256-gcm  -                   TCP UDP",
        ],
    }


def test_no_cells_no_table() -> None:
    assert table([]) == {}
