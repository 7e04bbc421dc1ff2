"""Peak memory of blocked HSA, measured in a process that does nothing else."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from dataclasses import asdict, fields
from pathlib import Path

from safetensors import safe_open
from safetensors.torch import save_file

from hsa.activations import Activations
from hsa.attention.block_plan import BlockPlan
from hsa.attention.blocked import blocked_attention
from hsa.errors import HSAError
from hsa.field.layer_field import LayerField

RETURN_MEMORY = {"MALLOC_MMAP_THRESHOLD_": "65536", "OMP_WAIT_POLICY": "passive"}
"""With a fixed threshold glibc gives every tensor back when it is freed. Otherwise memory kept
from loading would be taken again unseen, and the peak would come out too small."""


def peak_bytes(activations: Activations, field: LayerField, plan: BlockPlan) -> int:
    """Most bytes resident during one call, above the level before it.

    A fresh process loads q, k, v and the field, notes what is resident, calls once, and reads
    the kernel's own high-water mark, which misses nothing. Where loading stood higher than the
    call, the mark is an upper bound.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "call.safetensors"
        tensors = {name: getattr(activations, name) for name in ("q", "k", "v")}
        tensors |= {f"field.{name}": tensor for name, tensor in field.__dict__.items()}
        call = {"scaling": activations.scaling, "plan": asdict(plan)}
        save_file(
            {name: tensor.contiguous() for name, tensor in tensors.items()},
            path,
            {"call": json.dumps(call)},
        )
        root = str(Path(__file__).resolve().parents[2])
        paths = [root, *filter(None, [os.environ.get("PYTHONPATH")])]
        outcome = subprocess.run(
            [sys.executable, "-m", "hsa.evaluation.blocked_memory", str(path)],
            env=os.environ | RETURN_MEMORY | {"PYTHONPATH": os.pathsep.join(paths)},
            capture_output=True,
            text=True,
        )
    if outcome.returncode:
        raise HSAError(
            "Peak memory could not be measured",
            got=(outcome.stderr.strip().splitlines() or [f"status {outcome.returncode}"])[-1],
            attempt="free memory, or measure fewer tokens",
        )
    return int(outcome.stdout)


def _measure(path: str) -> int:
    import torch

    tensors = {}
    with safe_open(path, "pt") as file:
        call = json.loads(file.metadata()["call"])
        for name in file.keys():  # noqa: SIM118 - a file of tensors is no dict
            # A copy, for the file's own pages count as resident only once they are touched.
            tensors[name] = file.get_tensor(name).clone()
    field = LayerField(*(tensors[f"field.{field.name}"] for field in fields(LayerField)))
    plan = BlockPlan(**call["plan"])
    before = _resident_bytes("VmRSS")
    with torch.no_grad():
        blocked_attention(tensors["q"], tensors["k"], tensors["v"], call["scaling"], field, plan)
    return _resident_bytes("VmHWM") - before


def _resident_bytes(name: str) -> int:
    """The kernel's account of this process: VmRSS, resident now, or VmHWM, the most ever.

    Not `ru_maxrss`: a process inherits that of the one that started it. Where there is no
    /proc it must do.
    """
    status = Path("/proc/self/status")
    if status.exists():
        lines = dict(line.split(":", 1) for line in status.read_text().splitlines())
        return 1024 * int(lines[name].split()[0])
    import resource

    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else 1024 * most


if __name__ == "__main__":
    sys.stdout.write(str(_measure(sys.argv[1])))
