"""The atlas's UMAP beside umap-learn's: the same graph, maps as good, and what each takes.

    python benchmarks/umap_agreement.py [--heads 8.1,15.0,0.2]

On heads of SmolLM2's shipped field. Both begin at the principal components. Printed: the largest
difference of the two fuzzy graphs; of each map its trustworthiness (Venna & Kaski 2001) and the
share of twelve nearest neighbours kept; seconds, for umap-learn first with its import and
compilation, then without. Needs umap-learn.
"""

from __future__ import annotations

import argparse
import json
import time
import warnings
from collections.abc import Callable
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor

from hsa.atlas.fuzzy_graph import NEIGHBOURS, fuzzy_graph
from hsa.atlas.layout import pca_layout
from hsa.atlas.umap_layout import START_SIZE, umap_layout
from hsa.field.checkpoint import load_field
from hsa.field.shipped import shipped_path
from hsa.field.splat_field import SplatField

V = TypeVar("V")

KEPT = 12


def distances(points: Tensor) -> Tensor:
    """By differences: products lose small distances."""
    return torch.cdist(points, points, compute_mode="donot_use_mm_for_euclid_dist")


def quality(points: Tensor, place: Tensor) -> str:
    """How trustworthy the neighbours on a map are, and how many are kept."""
    count = len(points)
    order = distances(points).argsort(1)
    rank = order.argsort(1)
    near = distances(place).argsort(1)[:, 1 : KEPT + 1]
    late = (rank.gather(1, near) - KEPT).clamp_min(0).sum()
    trust = 1 - 2 / (count * KEPT * (2 * count - 3 * KEPT - 1)) * float(late)
    kept = (near.unsqueeze(2) == order[:, 1 : KEPT + 1].unsqueeze(1)).any(2).float().mean()
    return f"trustworthiness {trust:.4f}, neighbours kept {float(kept):.3f}"


def by_umap_learn(field: SplatField) -> tuple[np.ndarray, Tensor]:
    """Its graph and its map, from the same neighbours and the same start."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import umap.umap_ as umap
    points = field.position.float()
    near = distances(points).topk(NEIGHBOURS, largest=False)
    dice = np.random.RandomState(0)
    graph = umap.fuzzy_simplicial_set(
        points.numpy(), NEIGHBOURS, dice, "euclidean",
        knn_indices=near.indices.numpy().astype(np.int32), knn_dists=near.values.numpy(),
    )[0]  # fmt: skip
    start = (START_SIZE * pca_layout(field).place).numpy().copy()
    a, b = umap.find_ab_params(1.0, 0.1)
    place, _ = umap.simplicial_set_embedding(
        points.numpy(), graph.copy(), 2, 1.0, a, b, 1.0, 5, 500, start, dice, "euclidean", {},
        False, {}, False, parallel=False,
    )  # fmt: skip
    return graph.todense(), torch.tensor(place)


def main() -> None:
    """Both, head by head."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--heads", default="8.1,15.0,0.2", help="layer.head, …")
    path = shipped_path("smollm2")
    fingerprint = json.loads(path.with_suffix(".json").read_text("utf-8"))["fingerprint"]
    shipped = load_field(path, fingerprint)
    named = [name.split(".") for name in parser.parse_args().heads.split(",")]
    fields = [shipped.heads[int(layer)][int(group)] for layer, group in named]
    # First all of ours: once numba has run, torch is ten times slower in this process.
    own = [timed(lambda field=field: umap_layout(field).place) for field in fields]
    for (layer, group), field, (place, seconds) in zip(named, fields, own, strict=True):
        points = field.position.float()
        print(f"layer {layer}, head {group}: {field.splats} splats")
        print(f"  PCA         {quality(points, pca_layout(field).place)}")
        print(f"  here        {quality(points, place)}; {seconds:.2f} s")
        (graph, theirs), first = timed(lambda field=field: by_umap_learn(field))
        _, again = timed(lambda field=field: by_umap_learn(field))
        print(f"  umap-learn  {quality(points, theirs)}; {first:.2f} s, again {again:.2f} s")
        apart = np.abs(graph - fuzzy_graph(points).numpy()).max()
        print(f"  largest difference of the graphs: {apart:.1e}")


def timed(make: Callable[[], V]) -> tuple[V, float]:
    """What it makes, and the seconds that it takes."""
    start = time.perf_counter()
    return make(), time.perf_counter() - start


if __name__ == "__main__":
    main()
