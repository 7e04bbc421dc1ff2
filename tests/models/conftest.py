"""Tiny random models saved as folders."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import (
    BertConfig,
    BertModel,
    GPT2Config,
    GPT2LMHeadModel,
    LlamaConfig,
    LlamaForCausalLM,
    MistralConfig,
    MistralForCausalLM,
    PreTrainedTokenizerFast,
    Qwen2Config,
    Qwen2ForCausalLM,
)

from hsa.models.loaded import LoadedModel
from hsa.models.loading import load

WORDS = [f"w{index}" for index in range(60)]
BYTES = sorted(pre_tokenizers.ByteLevel.alphabet())
VOCABULARY = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", *WORDS, *BYTES]
SMALL = {
    "vocab_size": len(VOCABULARY),
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "max_position_embeddings": 96,
    "pad_token_id": 0,
    "bos_token_id": 2,
    "eos_token_id": 3,
    "initializer_range": 0.6,  # large, so that attention is far from uniform
}
GROUPED = SMALL | {"num_key_value_heads": 2}


def build(kind: str) -> torch.nn.Module:
    torch.manual_seed(7)
    if kind == "llama":
        return LlamaForCausalLM(LlamaConfig(**GROUPED))
    if kind == "qwen2":
        return Qwen2ForCausalLM(Qwen2Config(**GROUPED))
    if kind == "mistral":  # a window shorter than the texts read
        return MistralForCausalLM(MistralConfig(**GROUPED, sliding_window=8))
    if kind == "gpt2":
        return GPT2LMHeadModel(
            GPT2Config(
                vocab_size=len(VOCABULARY),
                n_embd=32,
                n_layer=3,
                n_head=4,
                n_positions=96,
                initializer_range=0.6,
                bos_token_id=2,
                eos_token_id=3,
                pad_token_id=0,
            )
        )
    assert kind == "bert"
    return BertModel(BertConfig(**SMALL))


def save_tokenizer(folder: Path, kind: str) -> None:
    vocabulary = {word: index for index, word in enumerate(VOCABULARY)}
    if kind == "qwen2":  # transformers gives Qwen2 byte-level BPE, whatever was saved
        tokenizer = Tokenizer(models.BPE(vocabulary, merges=[]))
        tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    else:
        tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
        tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    if kind == "bert":
        tokenizer.post_processor = processors.TemplateProcessing(
            single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
        )
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        unk_token="[UNK]",
        pad_token="[PAD]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        model_max_length=96,
    ).save_pretrained(folder)


@pytest.fixture(scope="session")
def tiny_folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folders = {}
    for kind in ("llama", "qwen2", "mistral", "gpt2", "bert"):
        folders[kind] = tmp_path_factory.mktemp(kind)
        build(kind).save_pretrained(folders[kind])
        save_tokenizer(folders[kind], kind)
    return folders


@pytest.fixture(scope="session")
def tiny(tiny_folders: dict[str, Path]) -> dict[str, LoadedModel]:
    return {kind: load(str(folder)) for kind, folder in tiny_folders.items()}


def words(count: int, start: int = 0) -> str:
    """A text of that many tokens, each another word than its neighbours."""
    return " ".join(WORDS[(start + 7 * index) % len(WORDS)] for index in range(count))
