"""Every target on its corpus, and on inputs that hypothesis draws; libFuzzer is not needed."""

import pytest
from fuzz.targets import TARGETS
from hypothesis import given
from hypothesis import strategies as st

from fuzz import corpus


@pytest.mark.parametrize("name", TARGETS)
def test_its_corpus(name: str) -> None:
    inputs = corpus.read(name)
    assert inputs
    for data in inputs:
        TARGETS[name](data)


@pytest.mark.parametrize("name", TARGETS)
@given(data=st.binary(max_size=300))
def test_anything(name: str, data: bytes) -> None:
    TARGETS[name](data)


def test_no_corpus_is_without_a_target() -> None:
    assert {path.stem for path in corpus.FOLDER.iterdir()} == set(TARGETS)
