"""Where the files of a named model are: catalogue, local folder or model hub."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from hsa.errors import ModelError
from hsa.models.cache import Progress, read_manifest
from hsa.models.catalog import CATALOG
from hsa.models.prepare import folder_of

HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*(/[A-Za-z0-9][\w.-]*)?")
HUB_ID_CHARACTERS = 96
WAIT_SECONDS = 5.0


@dataclass(frozen=True)
class Whereabouts:
    """What `from_pretrained` is given for a model, and what is known of it beforehand."""

    path: str
    title: str
    only_local: bool
    max_tokens: int | None = None
    weights_sha256: dict[str, str] | None = None


def locate(name: str, progress: Progress | None = None) -> Whereabouts:
    """Find a model by key of the catalogue, local folder or hub id; prepare it if embedded.

    Raises:
        ModelError: nothing of that name can be reached.
    """
    name = name.strip()
    if name in CATALOG:
        model = CATALOG[name]
        folder = folder_of(model, progress)
        digests = {
            file: sha256
            for file, (_, sha256) in read_manifest(folder).items()
            if file.endswith(".safetensors")
        }
        return Whereabouts(str(folder), model.title, True, model.max_tokens, digests)
    if (folder := _folder(name)) is not None:
        if not (folder / "config.json").is_file():
            raise ModelError(
                "The folder holds no model",
                got=f"{folder}, without a config.json",
                needed="config.json, safetensors weights and a tokenizer",
            )
        return Whereabouts(str(folder), folder.resolve().name, True)
    if not HUB_ID.fullmatch(name) or len(name) > HUB_ID_CHARACTERS:
        raise ModelError(
            "This is neither a known model, nor a folder here, nor a hub id",
            got=repr(name[:80]),
            needed=f"{', '.join(CATALOG)}, a folder, or an id such as owner/model",
        )
    return Whereabouts(name, name, _on_disk_or_reachable(name))


def _folder(name: str) -> Path | None:
    try:
        folder = Path(name).expanduser()
        return folder if name and folder.is_dir() else None
    except (OSError, RuntimeError, ValueError):  # too long, an unknown home, a NUL
        return None


def _on_disk_or_reachable(hub_id: str) -> bool:
    """True when the hub's files are already on this disk, False when the hub offers them.

    Asked once and briefly: transformers itself would retry for half a minute.
    """
    from huggingface_hub import constants, get_session, try_to_load_from_cache

    if isinstance(try_to_load_from_cache(hub_id, "config.json"), str):
        return True
    offline = ModelError(
        "The model hub cannot be reached",
        got=f"the hub id {hub_id!r}, which is not on this disk either",
        attempt=f"the embedded models {' and '.join(CATALOG)}, or a local folder that holds it",
    )
    if constants.HF_HUB_OFFLINE:
        raise offline
    try:
        answer = get_session().get(
            f"{constants.ENDPOINT}/api/models/{hub_id}",
            timeout=WAIT_SECONDS,
            follow_redirects=True,
        )
    except Exception as error:  # the session's own kinds of failure differ by its version
        raise offline from error
    if answer.status_code in (401, 403, 404):
        raise ModelError(
            "The model hub knows no open model of this name",
            got=repr(hub_id),
            attempt="check the spelling (owner/model); a gated model needs `hf auth login` first",
        )
    if answer.status_code >= 400:
        raise offline
    return False
