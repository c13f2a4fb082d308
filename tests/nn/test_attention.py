"""Attention: the published equations, step by step in float64; padding; coverage."""

import pytest
import torch

from longshort.errors import InputError
from longshort.nn import Attention


def drawn(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def by_hand(module, q, memory, length, covered=None):
    """One query (Q,) over a memory (S, M), equation by equation: the mean (M,) and the weights (S,)."""
    scores = []
    for s in range(length):
        m, c = memory[s], 0.0 if covered is None else covered[s]
        if module.score == "dot":
            scores.append(sum(a * b for a, b in zip(q, m, strict=True)))
        elif module.score == "general":
            scores.append(q @ (module.key.weight @ m))
        else:
            inner = module.key.weight @ m + module.query.weight @ q + module.key.bias
            inner = inner + (0.0 if module.cover is None else module.cover * c)
            scores.append((module.value * torch.tanh(inner)).sum())
        if module.score != "additive" and module.cover is not None:
            scores[-1] = scores[-1] + module.cover[0] * c
    raised = torch.stack(scores).exp()
    weights = raised / raised.sum()
    return (weights.unsqueeze(1) * memory[:length]).sum(0), weights


@pytest.mark.parametrize("score", ["dot", "general", "additive"])
@pytest.mark.parametrize("coverage", [False, True])
def test_the_equations(score, coverage):
    torch.manual_seed(0)
    module = Attention(4, 4, score, coverage=coverage, hidden_size=3).double()
    if coverage:
        torch.nn.init.normal_(module.cover)
    query, memory, lengths = drawn(2, 3, 4), drawn(2, 5, 4, seed=1), [5, 2]
    covered = drawn(2, 3, 5, seed=2).abs() if coverage else None
    valid = torch.arange(5) < torch.tensor(lengths).unsqueeze(1)
    found, weights = module(query, module.keys(memory), memory, valid, covered)
    for b in range(2):
        for t in range(3):
            mean, shares = by_hand(
                module, query[b, t], memory[b], lengths[b], None if covered is None else covered[b, t]
            )
            torch.testing.assert_close(found[b, t], mean, rtol=1e-12, atol=1e-12)
            torch.testing.assert_close(weights[b, t, : lengths[b]], shares, rtol=1e-12, atol=1e-12)
            assert (weights[b, t, lengths[b] :] == 0).all()


@pytest.mark.parametrize("score", ["general", "additive"])
def test_gradients(score):
    torch.manual_seed(0)
    module = Attention(3, 2, score, coverage=True).double()
    valid = torch.tensor([[True, True, True], [True, False, False]])

    def run(query, memory, covered, *parameters):
        named = dict(zip(dict(module.named_parameters()), parameters, strict=True))
        keys = torch.nn.functional.linear(memory, named["key.weight"], named.get("key.bias"))
        return torch.func.functional_call(module, named, (query, keys, memory, valid, covered))[0]

    leaves = [drawn(2, 2, 3), drawn(2, 3, 2, seed=1), drawn(2, 2, 3, seed=2)]
    leaves = [leaf.requires_grad_() for leaf in leaves]
    assert torch.autograd.gradcheck(run, (*leaves, *module.parameters()))


def test_padding_changes_nothing():
    torch.manual_seed(0)
    module = Attention(4, 3)
    query, memory = torch.randn(1, 2, 4), torch.randn(1, 6, 3)
    other = memory.clone()
    other[:, 4:] = 1e6
    valid = torch.arange(6).unsqueeze(0) < 4
    for one, two in zip(
        module(query, module.keys(memory), memory, valid), module(query, module.keys(other), other, valid), strict=True
    ):
        assert torch.equal(one, two)


def test_what_cannot_be():
    with pytest.raises(InputError, match="score must be one of dot, general, additive, not 'cosine'"):
        Attention(4, 4, "cosine")
    with pytest.raises(InputError, match="queries as large as the memory, not 4 and 3"):
        Attention(4, 3, "dot")


def test_it_shows_itself():
    assert repr(Attention(4, 3, "additive", coverage=True)).startswith("Attention(\n  4, 3, score='additive', coverage")
