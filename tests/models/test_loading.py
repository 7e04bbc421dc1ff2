"""Models that cannot be shown are refused, and the refusal names what to try."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
import torch
import transformers
from huggingface_hub import constants
from safetensors.torch import load_file, save_file

from hsa.errors import ModelError
from hsa.models.loading import load
from tests.models.conftest import GROUPED, SMALL, save_tokenizer


def saved(model: torch.nn.Module, folder: Path, kind: str = "llama") -> str:
    model.save_pretrained(folder)
    save_tokenizer(folder, kind)
    return str(folder)


def test_mpnet_accepts_the_attention_and_never_calls_it(tmp_path: Path) -> None:
    model = transformers.MPNetModel(transformers.MPNetConfig(**SMALL))
    with pytest.raises(ModelError, match=r"0 calls .* in 3 layers.*smollm2"):
        load(saved(model, tmp_path, "bert"))


def test_soft_caps_are_refused(tmp_path: Path) -> None:
    config = transformers.Gemma2Config(**GROUPED, head_dim=8)
    with pytest.raises(ModelError, match="softcap"):
        load(saved(transformers.Gemma2ForCausalLM(config), tmp_path))


def test_encoder_decoders_are_refused(tmp_path: Path) -> None:
    config = transformers.T5Config(
        vocab_size=64, d_model=16, d_kv=8, d_ff=16, num_layers=1, num_heads=2
    )
    with pytest.raises(ModelError, match="encoder-decoder"):
        load(saved(transformers.T5ForConditionalGeneration(config), tmp_path))


def test_pictures_are_refused(tmp_path: Path) -> None:
    config = transformers.ViTConfig(hidden_size=16, num_hidden_layers=1, num_attention_heads=2)
    transformers.ViTModel(config).save_pretrained(tmp_path)
    with pytest.raises(ModelError, match="without a vocabulary"):
        load(str(tmp_path))


def copied(folder: Path, to: Path) -> Path:
    for file in folder.iterdir():
        (to / file.name).write_bytes(file.read_bytes())
    return to


def test_missing_weights_are_refused_and_not_filled_with_noise(
    tmp_path: Path, tiny_folders: dict[str, Path]
) -> None:
    weights = copied(tiny_folders["llama"], tmp_path) / "model.safetensors"
    tensors = load_file(weights)
    del tensors["model.layers.1.self_attn.q_proj.weight"]
    save_file(tensors, weights, metadata={"format": "pt"})
    with pytest.raises(ModelError, match=r"1 tensors missing.*layers\.1\.self_attn\.q_proj"):
        load(str(tmp_path))


@pytest.mark.parametrize("damage", ["weights", "config", "tokenizer", "pickle"])
def test_damaged_folders_are_refused(
    damage: str, tmp_path: Path, tiny_folders: dict[str, Path]
) -> None:
    folder = copied(tiny_folders["llama"], tmp_path)
    weights = folder / "model.safetensors"
    if damage == "weights":
        weights.write_bytes(weights.read_bytes()[:-100])
    elif damage == "config":
        (folder / "config.json").write_text("{")
    elif damage == "tokenizer":
        for file in folder.glob("*token*"):
            file.unlink()
    else:
        torch.save(load_file(weights), folder / "pytorch_model.bin")
        weights.unlink()
    with pytest.raises(ModelError, match="could not be loaded"):
        load(str(folder))


def test_no_code_of_a_model_is_run(tmp_path: Path, tiny_folders: dict[str, Path]) -> None:
    folder = copied(tiny_folders["llama"], tmp_path)
    settings = json.loads((folder / "config.json").read_text())
    settings |= {"model_type": "own", "auto_map": {"AutoConfig": "own.Own"}}
    (folder / "config.json").write_text(json.dumps(settings))
    (folder / "own.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')")
    with pytest.raises(ModelError, match="could not be loaded"):
        load(str(folder))
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("name", ["", "  ", "no such model", "a/b/c", "../x\0", "-x/y", "x" * 9999])
def test_names_that_are_nothing(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(ModelError, match="smollm2"):
        load(name)


def test_a_folder_without_a_model(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"without a config\.json"):
        load(str(tmp_path))


def test_an_unreachable_hub_is_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(ModelError, match=r"cannot be reached.*local folder"):
        load("nobody/no-such-model")


@pytest.fixture
def empty_hub() -> Iterator[str]:
    class Nothing(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_error(404)

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Nothing)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_an_unknown_hub_id(empty_hub: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants, "ENDPOINT", empty_hub)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    with pytest.raises(ModelError, match=r"no open model of this name.*spelling"):
        load("nobody/no-such-model")


@pytest.mark.parametrize("device", ["meta", "cuda:99", "abacus"])
def test_a_device_that_is_not_there(device: str, tiny_folders: dict[str, Path]) -> None:
    with pytest.raises(ModelError, match=device) as refused:
        load(str(tiny_folders["llama"]), device=device)
    assert "cpu" in str(refused.value)


def test_progress_is_told(tiny_folders: dict[str, Path]) -> None:
    told: list[str] = []
    load(str(tiny_folders["bert"]), progress=lambda sentence, _: told.append(sentence))
    assert any("Loading" in sentence for sentence in told)
