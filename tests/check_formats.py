#!/usr/bin/env python3
"""The whole way, at full size: models of the packages that people use, with seeded random weights,
saved in their own formats → ptsconvert → ptsinfer embed, against the package's own forward pass.

    pip install torch torchvision transformers open_clip_torch keras h5py pillow numpy
    python3 tests/check_formats.py --build build

Photographs are noise and gradients at the network's own size, as PNG, so that only the networks are
compared. Prints a line a case and fails above 1e-4 of the largest component (f16: 2e-3).
"""
import argparse
import json
import os
import subprocess
import sys
import tempfile

os.environ["KERAS_BACKEND"] = "torch"
import numpy as np
import torch
from PIL import Image

failed = False


def run(*command):
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{' '.join(command)}: {done.stderr}")
    return done.stdout


def pictures(folder, size):
    random = np.random.default_rng(3)
    images, paths = [], []
    for i in range(3):
        y, x = np.mgrid[0:size, 0:size] * (i + 1) * 0.05
        base = np.stack([np.sin(x), np.cos(y), np.sin(x + y)], axis=2) * 90 + 128
        image = np.clip(base + random.normal(0, 25, base.shape), 0, 255).astype(np.uint8)
        paths.append(os.path.join(folder, f"{size}_{i}.png"))
        Image.fromarray(image).save(paths[-1])
        images.append(image)
    return np.stack(images), paths


def check(args, folder, label, source, paths, expected, extra=()):
    global failed
    for dtype, limit in ("f32", 1e-4), ("f16", 2e-3):
        weights = os.path.join(folder, "weights.ptsw")
        out = os.path.join(folder, "out.npy")
        run(f"{args.build}/ptsconvert", "--dtype", dtype, *extra, "-o", weights, source)
        run(f"{args.build}/ptsinfer", "embed", "-w", weights, "-o", out, *paths)
        got = np.load(out)
        delta = np.abs(got - expected).max() / np.abs(expected).max()
        print(f"{label:44} {dtype}  max |delta| {delta:.2e} of the largest  "
              f"{'ok' if delta <= limit else 'FAILED'}", flush=True)
        failed |= not delta <= limit


def normalised(images, mean, std):
    x = (images.astype(np.float32) / 255 - np.float32(mean)) / np.float32(std)
    return torch.from_numpy(x.transpose(0, 3, 1, 2).copy())


CLIP_MEAN = (0.48145466, 0.4578275, 0.40821073)
CLIP_STD = (0.26862954, 0.26130258, 0.27577711)


def liven(model):
    """Random biases and norms too, which initialisers leave at 0 and 1."""
    with torch.no_grad():
        for name, p in list(model.named_parameters()) + list(model.named_buffers()):
            if p.is_floating_point() and p.dim() == 1 and "logit" not in name:
                if name.endswith("running_var"):
                    p.uniform_(0.5, 1.5)
                else:
                    p.add_(torch.randn_like(p) * 0.1)
    return model.eval()


def clips(args, folder):
    import open_clip
    from transformers import CLIPConfig, CLIPModel
    images, paths = pictures(folder, 224)
    x = normalised(images, CLIP_MEAN, CLIP_STD)
    with torch.no_grad():
        model = liven(CLIPModel(CLIPConfig()))
        place = os.path.join(folder, "hf")
        model.save_pretrained(place)
        y = model.visual_projection(model.vision_model(x).pooler_output).numpy()
        check(args, folder, "transformers CLIP ViT-B/32, safetensors", place, paths, y)
        model = liven(open_clip.create_model("ViT-B-32", pretrained=None))
        place = os.path.join(folder, "open_clip.pt")
        y = model.encode_image(x).numpy()
        torch.save(model.state_dict(), place)
        check(args, folder, "open_clip ViT-B-32, zip", place, paths, y)
        model = liven(open_clip.create_model("ViT-B-32-quickgelu", pretrained=None))
        y = model.encode_image(x).numpy()
        torch.save(model.state_dict(), place, _use_new_zipfile_serialization=False)
        check(args, folder, "open_clip ViT-B-32-quickgelu, legacy", place, paths, y,
              ("--activation", "quick_gelu"))


def torchvision_inception(args, folder):
    from torchvision.models import inception_v3
    from torchvision.transforms.v2 import functional as f
    images, paths = pictures(folder, 299)
    resized = [f.center_crop(Image.fromarray(i).resize((342, 342), Image.BILINEAR), [299, 299])
               for i in images]
    x = normalised(np.stack([np.asarray(i) for i in resized]), (0.485, 0.456, 0.406),
                   (0.229, 0.224, 0.225))
    model = inception_v3(init_weights=True, transform_input=True)
    model = liven(model)
    state = model.state_dict()
    model.fc = torch.nn.Identity()
    with torch.no_grad():
        y = model(x).numpy()
    for label, zipped in ("zip", True), ("legacy", False):
        place = os.path.join(folder, "inception.pth")
        torch.save(state, place, _use_new_zipfile_serialization=zipped)
        check(args, folder, f"torchvision InceptionV3, {label}", place, paths, y)


def keras_inception(args, folder):
    import keras
    images, paths = pictures(folder, 299)
    x = keras.applications.inception_v3.preprocess_input(images.astype(np.float32))
    keras.utils.set_random_seed(7)
    for top in True, False:
        model = keras.applications.InceptionV3(weights=None, include_top=top)
        for layer in model.layers:
            if isinstance(layer, keras.layers.BatchNormalization):
                layer.set_weights([np.random.uniform(0.5, 1.5, w.shape) if "variance" in v.name else
                                   np.random.normal(0, 0.1, w.shape)
                                   for v, w in zip(layer.weights, layer.get_weights())])
        place = os.path.join(folder, "inception.h5")
        model.save(place)
        features = keras.Model(model.inputs, model.get_layer("mixed10").output)
        y = np.asarray(features.predict(x, verbose=0)).mean(axis=(1, 2))
        check(args, folder, f"keras InceptionV3, h5, {'with' if top else 'without'} top", place,
              paths, y)


class StudyHead(torch.nn.Module):
    def __init__(self, dim):
        super().__init__()
        sizes = (4 * dim, 2048, 1024, 512, 256, 4)
        for name, into, out in zip(("fc1", "fc_agg", "fc2", "fc3", "fc4"), sizes, sizes[1:]):
            self.add_module(name, torch.nn.Linear(into, out))

    def forward(self, x):
        for name in "fc1", "fc_agg", "fc2", "fc3":
            x = torch.relu(getattr(self, name)(x))
        return self.fc4(x)


def study(args, folder):
    """The study's page: four photographs, both encoders, both heads, minus 10."""
    global failed
    import open_clip
    from torchvision.models import inception_v3
    images, paths = pictures(folder, 224)
    images, paths = np.concatenate([images, images[:1, ::-1]]), paths + [os.path.join(folder, "4.png")]
    Image.fromarray(images[3]).save(paths[3])
    x = normalised(images, (0.5,) * 3, (0.5,) * 3)
    clip = liven(open_clip.create_model("ViT-B-32-quickgelu", pretrained=None))
    inception = liven(inception_v3(init_weights=True, transform_input=True))
    state = inception.state_dict()
    inception.fc = torch.nn.Identity()
    mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    large = torch.nn.functional.interpolate(x, (299, 299), mode="bilinear", align_corners=False)
    large = (large - mean[:, None, None]) / std[:, None, None]
    heads = StudyHead(2048), StudyHead(512)
    for head, level in zip(heads, (10.4, 200)):  # random heads answer about 0: lift them to curves
        torch.nn.init.constant_(head.fc4.bias, level)
        head.fc1.weight.data.mul_(20)  # and let them look at the photographs
    with torch.no_grad():
        a, b, _, _ = (heads[0](inception(large).reshape(1, -1))[0] - 10).tolist()
        _, _, c, d = (heads[1](clip.encode_image(x).reshape(1, -1))[0] - 10).tolist()
    files = []
    for name, module, extra in (("i", state, ()), ("c", clip.state_dict(), ("--activation", "quick_gelu")),
                                ("hi", heads[0].state_dict(), ()), ("hc", heads[1].state_dict(), ())):
        torch.save(module, os.path.join(folder, name + ".pt"))
        files.append(os.path.join(folder, name + ".ptsw"))
        run(f"{args.build}/ptsconvert", *extra, "-o", files[-1], os.path.join(folder, name + ".pt"))
    done = subprocess.run(
        [f"{args.build}/ptsinfer", "predict", "--mode", "ptssp", "--json", "--target", "0.5",
         "--weights", files[0], "--weights", files[1], "--head", files[3], "--head", files[2], *paths],
        capture_output=True, text=True)
    if done.returncode not in (0, 3):
        sys.exit(done.stderr)
    got = json.loads(done.stdout)
    worst = max(abs(got[k] - v) / abs(v) for k, v in zip("ABCD", (a, b, c, d)))
    print(f"{'the study, A B C D':44} f32  max relative {worst:.2e}                {'ok' if worst <= 1e-3 else 'FAILED'}")
    failed |= not worst <= 1e-3


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", default="build")
    args = parser.parse_args()
    torch.manual_seed(6)
    with tempfile.TemporaryDirectory() as folder:
        for case in study, clips, torchvision_inception, keras_inception:
            case(args, folder)
    sys.exit(failed)


main()
