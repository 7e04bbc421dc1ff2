"""`import hsa` in a notebook: a few names, found when asked for, and the example that uses them."""

from __future__ import annotations

import doctest
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import transformers

import hsa
from hsa.errors import ModelError
from tests.inference.tiny import adopted, inputs_of
from tests.models.conftest import SMALL

ROOT = Path(__file__).parents[2]


def test_the_example_in_the_docstring_runs_as_written(smollm2) -> None:
    """`smollm2` makes sure that the model is there; the example loads its own."""
    found = doctest.testmod(hsa, optionflags=doctest.FAIL_FAST)
    assert found.failed == 0
    assert found.attempted > 12


def test_every_name_is_there_and_documented() -> None:
    assert set(hsa.__all__) <= set(dir(hsa))
    for name in hsa.__all__:
        public = getattr(hsa, name)
        assert public.__doc__, name
        assert public.__name__ == name
    with pytest.raises(AttributeError, match="no attribute 'lode'"):
        _ = hsa.lode


def test_importing_hsa_imports_nothing_else() -> None:
    heavy = "torch", "transformers", "numpy", "jaxtyping", "safetensors"
    program = f"import sys, hsa; print([n for n in {heavy} if n in sys.modules], dir(hsa)[-1])"
    outcome = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert outcome.stdout.split() == ["[]", "write"]


def test_adopting_sets_the_attention_and_describes_the_model() -> None:
    loaded = adopted("qwen3")
    assert (loaded.layers, loaded.query_heads, loaded.key_value_heads) == (3, 4, 2)
    assert loaded.head_dim == 8 and loaded.causal and loaded.max_tokens == 96
    assert loaded.model.config._attn_implementation == "hsa"
    picture = adopted("vit")
    assert not picture.causal and picture.tokenizer is None and not picture.writes
    with pytest.raises(ModelError, match="no tokenizer"):
        picture.tokenize("a text")


def test_adopting_what_never_calls_attention_is_refused() -> None:
    model = transformers.MPNetModel(transformers.MPNetConfig(**SMALL)).eval()
    with pytest.raises(ModelError, match="0 calls"), torch.no_grad():
        hsa.adopt(model, inputs_of("mpnet", 12))
