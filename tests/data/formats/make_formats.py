#!/usr/bin/env python3
"""Small models in their real formats, each saved by the package that defines the format, and what
ptsconvert must make of them. Seed 4; needs torch, transformers, open_clip_torch, numpy.

    python3 make_formats.py            # writes beside this script
"""
import json
import os
import shutil

import numpy as np
import torch
from torch import nn

HERE = os.path.dirname(os.path.abspath(__file__))
WIDTH, HEADS, LAYERS, HIDDEN, PATCH, SIDE, DIM = 8, 4, 2, 12, 4, 12, 6
TOKENS = (SIDE // PATCH) ** 2 + 1
random = np.random.default_rng(4)


def values(*shape):
    """Multiples of 1/64 in [-2, 2): exact in float32, float16 and bfloat16 alike."""
    return random.integers(-128, 128, shape).astype(np.float32) / 64


def path(*names):
    return os.path.join(HERE, *names)


# ---- one CLIP image tower, under Hugging Face's names ----

def linear(out, into, name):
    return {name + ".weight": values(out, into), name + ".bias": values(out)}


def norm(name):
    return {name + ".weight": values(WIDTH), name + ".bias": values(WIDTH)}


def hugging_face():
    v = "vision_model."
    d = {v + "embeddings.class_embedding": values(WIDTH),
         v + "embeddings.patch_embedding.weight": values(WIDTH, 3, PATCH, PATCH),
         v + "embeddings.position_embedding.weight": values(TOKENS, WIDTH),
         "visual_projection.weight": values(DIM, WIDTH)}
    d |= norm(v + "pre_layrnorm") | norm(v + "post_layernorm")
    for i in range(LAYERS):
        n = f"{v}encoder.layers.{i}."
        for part in "qkv":
            d |= linear(WIDTH, WIDTH, f"{n}self_attn.{part}_proj")
        d |= linear(WIDTH, WIDTH, n + "self_attn.out_proj")
        d |= norm(n + "layer_norm1") | norm(n + "layer_norm2")
        d |= linear(HIDDEN, WIDTH, n + "mlp.fc1") | linear(WIDTH, HIDDEN, n + "mlp.fc2")
    return d


def openai(d):
    """The same tower under OpenAI's and open_clip's names."""
    v = "vision_model."
    o = {"visual.class_embedding": d[v + "embeddings.class_embedding"],
         "visual.conv1.weight": d[v + "embeddings.patch_embedding.weight"],
         "visual.positional_embedding": d[v + "embeddings.position_embedding.weight"],
         "visual.proj": d["visual_projection.weight"].T.copy()}
    for part in "weight", "bias":
        o[f"visual.ln_pre.{part}"] = d[f"{v}pre_layrnorm.{part}"]
        o[f"visual.ln_post.{part}"] = d[f"{v}post_layernorm.{part}"]
    for i in range(LAYERS):
        n, m = f"{v}encoder.layers.{i}.", f"visual.transformer.resblocks.{i}."
        for part in "weight", "bias":
            o[f"{m}attn.in_proj_{part}"] = np.concatenate(
                [d[f"{n}self_attn.{x}_proj.{part}"] for x in "qkv"])
            o[f"{m}attn.out_proj.{part}"] = d[f"{n}self_attn.out_proj.{part}"]
            o[f"{m}ln_1.{part}"] = d[f"{n}layer_norm1.{part}"]
            o[f"{m}ln_2.{part}"] = d[f"{n}layer_norm2.{part}"]
            o[f"{m}mlp.c_fc.{part}"] = d[f"{n}mlp.fc1.{part}"]
            o[f"{m}mlp.c_proj.{part}"] = d[f"{n}mlp.fc2.{part}"]
    return o


def expected_clip(d):
    """Ours: matrices [in][out], the patch convolution [kh][kw][cin][cout], q k v side by side."""
    v = "vision_model."
    e = {"patch.weight": d[v + "embeddings.patch_embedding.weight"].transpose(2, 3, 1, 0),
         "class": d[v + "embeddings.class_embedding"],
         "positions": d[v + "embeddings.position_embedding.weight"],
         "pre_norm.weight": d[v + "pre_layrnorm.weight"],
         "pre_norm.bias": d[v + "pre_layrnorm.bias"]}
    for i in range(LAYERS):
        n, m = f"{v}encoder.layers.{i}.", f"layer{i}."
        a = n + "self_attn."
        e[m + "norm1.weight"] = d[n + "layer_norm1.weight"]
        e[m + "norm1.bias"] = d[n + "layer_norm1.bias"]
        e[m + "qkv.weight"] = np.hstack([d[f"{a}{x}_proj.weight"].T for x in "qkv"])
        e[m + "qkv.bias"] = np.hstack([d[f"{a}{x}_proj.bias"] for x in "qkv"])
        e[m + "proj.weight"] = d[a + "out_proj.weight"].T
        e[m + "proj.bias"] = d[a + "out_proj.bias"]
        e[m + "norm2.weight"] = d[n + "layer_norm2.weight"]
        e[m + "norm2.bias"] = d[n + "layer_norm2.bias"]
        for k in "12":
            e[f"{m}fc{k}.weight"] = d[f"{n}mlp.fc{k}.weight"].T
            e[f"{m}fc{k}.bias"] = d[f"{n}mlp.fc{k}.bias"]
    e["post_norm.weight"] = d[v + "post_layernorm.weight"]
    e["post_norm.bias"] = d[v + "post_layernorm.bias"]
    e["projection"] = d["visual_projection.weight"].T
    return e


def write_expected(e):
    with open(path("clip.txt"), "w") as text, open(path("clip.bin"), "wb") as binary:
        for name, array in e.items():
            text.write(f"{name} {','.join(map(str, array.shape))}\n")
            binary.write(np.ascontiguousarray(array, "<f4").tobytes())


def load(model, arrays):
    """Into the model, which must have all of these; what else it has becomes numbers of its own."""
    state = model.state_dict()
    for name, tensor in state.items():
        array = arrays.pop(name) if name in arrays else values(*tensor.shape)
        if tensor.is_floating_point():
            assert tuple(tensor.shape) == array.shape, name
            state[name] = torch.from_numpy(np.asarray(array, np.float32))
    assert not arrays, arrays.keys()
    model.load_state_dict(state)


def save_hugging_face(d):
    from transformers import CLIPConfig, CLIPModel, CLIPVisionModelWithProjection
    config = CLIPConfig(
        projection_dim=DIM,
        vision_config=dict(hidden_size=WIDTH, num_attention_heads=HEADS, num_hidden_layers=LAYERS,
                           intermediate_size=HIDDEN, patch_size=PATCH, image_size=SIDE,
                           projection_dim=DIM, hidden_act="quick_gelu"),
        text_config=dict(hidden_size=8, num_attention_heads=2, num_hidden_layers=1,
                         intermediate_size=8, vocab_size=16, max_position_embeddings=5,
                         projection_dim=DIM))
    whole = CLIPModel(config)
    load(whole, dict(d))
    whole.save_pretrained(path("hf_full"))
    config.vision_config.hidden_act = "gelu"
    vision = CLIPVisionModelWithProjection(config.vision_config)
    load(vision, dict(d))
    vision.bfloat16().save_pretrained(path("hf_vision_bf16"))
    vision.half().save_pretrained(path("hf_shards_f16"), max_shard_size="2KB")


def save_open_clip(d):
    import open_clip
    from open_clip.model import CLIP
    from safetensors.torch import save_file
    vision = dict(image_size=SIDE, patch_size=PATCH, width=WIDTH, layers=LAYERS,
                  head_width=WIDTH // HEADS, mlp_ratio=HIDDEN / WIDTH)
    text = dict(context_length=5, vocab_size=16, width=8, heads=2, layers=1)
    model = CLIP(DIM, vision, text)
    load(model, openai(d))
    model = model.half()
    os.makedirs(path("open_clip"))
    save_file(model.state_dict(), path("open_clip", "open_clip_model.safetensors"))
    with open(path("open_clip", "open_clip_config.json"), "w") as file:
        json.dump({"model_cfg": {"embed_dim": DIM, "vision_cfg": vision, "text_cfg": text}}, file)
    torch.save(model.state_dict(), path("open_clip.pt"))
    wrapped = {"epoch": 3, "name": "tiny",
               "state_dict": {"module." + k: v for k, v in model.state_dict().items()},
               "optimizer": {"state": {0: {"step": 7.0, "exp_avg": torch.ones(2)}}}}
    torch.save(wrapped, path("legacy.pt"), _use_new_zipfile_serialization=False)


# ---- OpenAI's layout: a traced module in half precision ----

class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.attn = nn.MultiheadAttention(WIDTH, HEADS)
        self.ln_1 = nn.LayerNorm(WIDTH)
        self.mlp = nn.Sequential()
        self.mlp.add_module("c_fc", nn.Linear(WIDTH, HIDDEN))
        self.mlp.add_module("c_proj", nn.Linear(HIDDEN, WIDTH))
        self.ln_2 = nn.LayerNorm(WIDTH)

    def forward(self, x):
        y = self.ln_1(x)
        x = x + self.attn(y, y, y, need_weights=False)[0]
        y = self.mlp.c_fc(self.ln_2(x))
        return x + self.mlp.c_proj(y * torch.sigmoid(1.702 * y))


class Transformer(nn.Module):
    def __init__(self):
        super().__init__()
        self.resblocks = nn.Sequential(*[Block() for _ in range(LAYERS)])

    def forward(self, x):
        return self.resblocks(x)


class Visual(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(3, WIDTH, PATCH, PATCH, bias=False)
        self.class_embedding = nn.Parameter(torch.zeros(WIDTH))
        self.positional_embedding = nn.Parameter(torch.zeros(TOKENS, WIDTH))
        self.ln_pre = nn.LayerNorm(WIDTH)
        self.transformer = Transformer()
        self.ln_post = nn.LayerNorm(WIDTH)
        self.proj = nn.Parameter(torch.zeros(WIDTH, DIM))

    def forward(self, x):
        x = self.conv1(x).flatten(2).permute(0, 2, 1)
        x = torch.cat([self.class_embedding.expand(x.shape[0], 1, -1), x], dim=1)
        x = self.ln_pre(x + self.positional_embedding)
        x = self.transformer(x.permute(1, 0, 2)).permute(1, 0, 2)
        return self.ln_post(x[:, 0]) @ self.proj


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.visual = Visual()
        self.token_embedding = nn.Embedding(16, 8)
        self.ln_final = nn.LayerNorm(8)
        self.logit_scale = nn.Parameter(torch.tensor(1.0))
        self.register_buffer("input_resolution", torch.tensor(SIDE))

    def forward(self, x):
        return self.visual(x)


def save_script(d):
    model = Model()
    load(model, openai(d))
    model = model.half().eval()
    with torch.no_grad():
        traced = torch.jit.trace(model, torch.ones(1, 3, SIDE, SIDE, dtype=torch.half),
                                 check_trace=False)
    traced.save(path("openai_script.pt"))


# ---- torchvision's InceptionV3, whole, over one small storage ----

def save_inception():
    """Every tensor is a window into the same 12,000 numbers, with odd strides: torch.save keeps
    views and storages, so the file is small while all shapes and names are the real ones."""
    from torchvision.models import inception_v3
    storage = torch.from_numpy(np.abs(values(16000)) + np.float32(0.25)).half()
    model = inception_v3(init_weights=False, aux_logits=True)
    state, at = {}, 0
    for name, tensor in model.state_dict().items():
        if not tensor.is_floating_point():
            state[name] = tensor
            continue
        stride = (7, 5, 3, 1)[4 - tensor.dim():]
        extent = sum((n - 1) * s for n, s in zip(tensor.shape, stride)) + 1
        state[name] = torch.as_strided(storage, tensor.shape, stride, at % (16000 - extent))
        at += 17
    torch.save(state, path("inception_f16.pt"))
    with open(path("inception.txt"), "w") as file:
        for unit in (k[:-len(".conv.weight")] for k in state if k.endswith(".conv.weight")):
            if not unit.startswith("AuxLogits"):
                fold(file, unit, {k: state[f"{unit}.{k}"].float().numpy() for k in (
                    "conv.weight", "bn.weight", "bn.bias", "bn.running_mean", "bn.running_var")})


def fold(file, unit, d):
    k = d["bn.weight"].astype(float) / np.sqrt(d["bn.running_var"].astype(float) + 1e-3)
    weight = d["conv.weight"].transpose(2, 3, 1, 0).astype(float) * k
    bias = d["bn.bias"].astype(float) - d["bn.running_mean"].astype(float) * k
    if unit == "Conv2d_1a_3x3":  # torchvision's transform_input, before a convolution without padding
        scale = np.array([0.229, 0.224, 0.225]) / 0.5
        shift = (np.array([0.485, 0.456, 0.406]) - 0.5) / 0.5
        for row, t in zip(weight.reshape(-1, weight.shape[3]), np.tile(shift, 9)):
            bias = bias + row * t
        weight = weight * scale[:, None]
    figures(file, unit + ".weight", weight)
    figures(file, unit + ".bias", bias)


def figures(file, name, array):
    array = array.astype(np.float32)
    flat = array.ravel().astype(float)
    file.write(f"{name} {','.join(map(str, array.shape))} {flat.sum():.12g} "
               f"{np.abs(flat).sum():.12g} {array.flat[0]:.9g} {array.flat[-1]:.9g}\n")


# ---- Keras's InceptionV3: figures of the file that test_formats.c writes with libhdf5 ----

def keras_values(shape, serial, low):
    i = np.arange(int(np.prod(shape)), dtype=np.uint64)
    bits = (i * 2654435761 + serial * 40503) % 2 ** 32 // 2 ** 24
    return (bits.astype(np.float64) / 64 + low).reshape(shape)


def save_keras_figures():
    rows = [line.split()[:2] for line in open(path("inception.txt"))][::2]
    with open(path("keras.txt"), "w") as file:
        for u, (name, shape) in enumerate(rows):
            shape = tuple(map(int, shape.split(",")))
            kernel, channels = keras_values(shape, 4 * u, -2), shape[3:]
            beta, mean = (keras_values(channels, 4 * u + k, -2) for k in (1, 2))
            k = 1 / np.sqrt(keras_values(channels, 4 * u + 3, 0.25) + 1e-3)
            weight, bias = kernel * k, beta - mean * k
            if u == 0:  # 2x - 1, preprocess_input's map of 0 … 1
                for row in weight.reshape(-1, shape[3]):
                    bias = bias - row
                weight = weight * 2
            figures(file, name, weight)
            figures(file, name.replace(".weight", ".bias"), bias)


# ---- the study's heads: the real shapes, each row of one number ----

def save_heads():
    for name, dim in ("head_clip", 512), ("head_incept_masks", 4096):
        state, into = {}, 4 * dim
        for layer, out in zip(("fc1", "fc_agg", "fc2", "fc3", "fc4"), (2048, 1024, 512, 256, 4)):
            rows = torch.arange(out) % 9 * 2.0 ** -12
            state[layer + ".weight"] = rows[:, None].expand(out, into)
            state[layer + ".bias"] = rows
            into = out
        torch.save(state, path(name + ".pt"))


def main():
    for name in "hf_full", "hf_vision_bf16", "hf_shards_f16", "open_clip":
        shutil.rmtree(path(name), ignore_errors=True)
    d = hugging_face()
    write_expected(expected_clip(d))
    save_hugging_face(d)
    save_open_clip(d)
    save_script(d)
    save_inception()
    save_keras_figures()
    save_heads()


main()
