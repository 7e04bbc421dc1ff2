"""The part of the hierarchy that a prompt uses, and what a cut may open."""

from __future__ import annotations

import torch

from hsa.attention.views import into_layer
from hsa.field.routing import route
from hsa.field.tree import opening_tree
from tests.attention.random_layers import random_layer


def test_keys_lie_in_one_node_per_level_and_nodes_follow_the_field() -> None:
    activations, field = random_layer(5, 30)
    layer = into_layer(activations, field)
    tree, phrase = layer.tree, route(layer.x, field)
    for group in range(2):
        rows = tree.row[group]
        used = set()
        for key in range(30):
            path = [int(phrase[group, key])]
            while int(field.parent[group, path[0]]) >= 0:
                path.insert(0, int(field.parent[group, path[0]]))
            assert rows[tree.key_node[group, key]].tolist() == path
            used |= set(path)
        assert set(rows[rows >= 0].tolist()) == used
        for node in (rows >= 0).nonzero().flatten().tolist():
            row, parent = int(rows[node]), int(tree.parent[group, node])
            assert int(tree.level[group, node]) == int(field.level[group, row])
            above = int(rows[parent]) if parent >= 0 else -1
            assert above == int(field.parent[group, row])
            assert torch.equal(tree.centre[group, node], field.position[group, row])
        padding = rows < 0
        assert (tree.level[group][padding] == -1).all()
        assert (tree.parent[group][padding] == -1).all()


def test_opening_skips_empty_nodes_and_only_children() -> None:
    for seed in range(6):
        activations, field = random_layer(seed, 40)
        layer = into_layer(activations, field)
        tree = layer.tree
        some = torch.rand(40, generator=torch.Generator().manual_seed(seed)) < 0.4
        count = torch.zeros(2, tree.nodes)
        for level in range(3):
            node = tree.key_node[:, :, level]
            count.scatter_add_(1, node, some.float().expand(2, 40).clone())
        opening = opening_tree(tree, count)
        child = opening.child()
        for group in range(2):
            nonempty = set((count[group] > 0).nonzero().flatten().tolist())
            children = {
                n: [c for c in nonempty if int(tree.parent[group, c]) == n] for n in nonempty
            }

            def stand_in(node: int, children: dict[int, list[int]] = children) -> int:
                while len(children[node]) == 1:
                    node = children[node][0]
                return node

            kept = {stand_in(node) for node in nonempty}
            assert set(opening.kept[group].nonzero().flatten().tolist()) == kept
            roots = {stand_in(n) for n in nonempty if int(tree.level[group, n]) == 0}
            assert set(opening.root[group].nonzero().flatten().tolist()) == roots
            for node in kept:
                below = {stand_in(c) for c in children[node]}
                assert set(child[group, node].nonzero().flatten().tolist()) == below
                leaf = int(tree.level[group, node]) == 2
                cost = int(count[group, node]) if leaf else len(below)
                assert int(opening.cost[group, node]) == cost
                assert bool(opening.openable[group, node]) == (not leaf or cost > 1)
