"""Writes the checkpoints of this folder with PyTorch 2.13.0 (CPU): python make.py"""

import argparse
import collections
import torch

torch.manual_seed(0)
base = torch.arange(24, dtype=torch.float32).reshape(4, 6) / 8
state = collections.OrderedDict(
    [
        ("plain", base.clone()),
        ("scalar", torch.tensor(2.5)),
        ("empty", torch.zeros(0, 3)),
        ("transposed", base.clone().t()),
        ("slice", base.clone()[1:3, 2:5]),
        ("half", torch.tensor([0.5, -1.25], dtype=torch.float16)),
        ("bfloat16", torch.tensor([0.5, -1.25, 3.0], dtype=torch.bfloat16)),
        ("long", torch.tensor([[1, -2], [3, 2**40]])),
        ("bool", torch.tensor([True, False])),
        ("double", torch.tensor([1 / 3], dtype=torch.float64)),
        ("parameter", torch.nn.Parameter(torch.tensor([1.0, 2.0]))),
    ]
)
state["shared"] = state["plain"]
torch.save(state, "state.pt")

model = torch.nn.Linear(3, 2)
with torch.no_grad():
    model.weight.copy_(torch.tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]))
    model.bias.copy_(torch.tensor([-1.0, -2.0]))
optimizer = torch.optim.AdamW(model.parameters())
model(torch.ones(1, 3)).sum().backward()
optimizer.step()
with torch.no_grad():
    model.weight.copy_(torch.tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]))
torch.save(
    {"model": model.state_dict(), "optimizer": optimizer.state_dict(), "step": 12, "loss": 0.5, "name": "é"},
    "nested.pt",
)
torch.save({"weights": model.state_dict(), "args": argparse.Namespace(lr=1e-3)}, "namespace.pt")
torch.save(model, "module.pt")
torch.save(model.state_dict(), "legacy.pt", _use_new_zipfile_serialization=False)
torch.save(model.state_dict(), "protocol4.pt", pickle_protocol=4)


class Call:
    """Unpickled by Python this would call print."""

    def __reduce__(self):
        return (print, ("called",))


torch.save({"weight": Call()}, "call.pt")

# Views and types of every kind. `used` is float32 and read; the rest must not stand in its way.
def z():
    return torch.tensor([1 + 2j, 3 - 4j], dtype=torch.complex64)


torch.save(
    {
        "used": torch.tensor([1.0, 2.0]),
        "negated": z().conj().imag,
        "negated_half": torch.tensor([1.5, -2.0], dtype=torch.float16)._neg_view(),
        "negated_int": torch.tensor([3, -4], dtype=torch.int64)._neg_view(),
        "expanded": torch.tensor([[1.0], [2.0]]).expand(2, 3),
        "expanded_scalar": torch.tensor(7.0).expand(2, 2),
        "vast": torch.zeros(1).expand(1 << 40),
        "float8": torch.tensor([0.5, 1.0]).to(torch.float8_e4m3fn),
        "uint16": torch.tensor([1, 65535], dtype=torch.int32).to(torch.uint16),
        "complex": z(),
        "conjugated": z().conj(),
        "quantised": torch.quantize_per_tensor(torch.tensor([0.5, 1.0]), 0.1, 0, torch.qint8),
        "sparse": torch.eye(2).to_sparse(),
        "meta": torch.empty(2, device="meta"),
    },
    "views.pt",
)

# A dotted key and nested dicts that make one name.
torch.save({"a.b": torch.zeros(1), "a": {"b": torch.ones(1)}}, "collide.pt")

# A table of rotations, as Llama keeps it.
angles = torch.outer(torch.arange(3.0), 10000.0 ** (-torch.arange(2.0) / 2))
table = torch.polar(torch.ones_like(angles), angles)
torch.save({"blocks.0.freqs_cis": table, "other": table}, "rotations.pt")
