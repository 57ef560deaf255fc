from annotated_shadowsocks.config import options as o


def test_both_peers_name_the_place_alike() -> None:
    for program in ("ssmanager", "ss-manager"):
        [flag] = o.flags_of(o.MANAGER_ADDRESS, program)
        assert "--manager-address" in flag.names


def test_the_port_is_said_in_the_file_alone() -> None:
    assert o.MANAGER_PORT.default is None
    assert o.flags_of(o.MANAGER_PORT, "ssmanager") == ()
