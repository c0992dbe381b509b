//! Programs that classify a picture with an exported model, written for the model at hand: they hold its input size, its
//! resize, crop and normalisation, and its classes where JavaScript cannot read them from the file.

mod deployed;

use super::{ExportFormat, Portable, Recipes};
use crate::data::answers::answers;
use crate::data::preset::{ChannelOrder, Preset, Resize};
use crate::data::{Activation, Filter};
use crate::model::ResNetSpec;
use crate::model::graph::Padding;
use crate::model::resnet::{BlockOrder, ConvBias, Shortcut};

/// Most class names that are written into a program.
const MAX_NAMES: usize = 40;

pub(super) fn recipes(model: &Portable<'_>, format: ExportFormat, file: &str) -> Recipes {
    let none = Vec::new();
    match format {
        ExportFormat::Onnx => {
            Recipes { python: onnx_python(model, file), javascript: onnx_javascript(model, file), others: none }
        }
        ExportFormat::Safetensors => {
            Recipes { python: torch_python(model, file), javascript: module_javascript(model, file), others: none }
        }
        ExportFormat::TensorFlowJs => deployed::tensorflow_js(model),
        ExportFormat::TensorFlowLite | ExportFormat::TensorFlowLiteF16 => deployed::tensorflow_lite(model, file),
    }
}

fn onnx_python(model: &Portable<'_>, file: &str) -> String {
    let (output, result) = match model.spec.classes {
        Some(_) => ("logits", top_python(model)),
        None => ("features", "print(features.shape)\n".into()),
    };
    let classes = match model.spec.classes {
        Some(_) => "classes = json.loads(session.get_modelmeta().custom_metadata_map[\"classes\"])\n",
        None => "",
    };
    let json = if classes.is_empty() { "" } else { "import json\n\n" };
    let pixels = pixels_python(model.pixels);
    let file = quoted(file);
    format!(
        "# pip install onnxruntime pillow numpy\n{json}import numpy as np\nimport onnxruntime\nfrom PIL import Image, ImageOps\n\n\
         session = onnxruntime.InferenceSession({file})\n{classes}\n{pixels}\n\
         {output} = session.run(None, {{\"input\": x[None]}})[0][0]\n{result}"
    )
}

/// From `logits` to the best five, as the network was trained to be read.
fn top_python(model: &Portable<'_>) -> String {
    let probabilities = match model.activation {
        Activation::Softmax => "probabilities = np.exp(logits - logits.max())\nprobabilities /= probabilities.sum()\n",
        Activation::Sigmoid => "probabilities = 1 / (1 + np.exp(-logits))  # each class is a yes or no of its own\n",
    };
    // A single output answers yes or no.
    let both = match model.spec.classes {
        Some(1) => {
            "probabilities = np.array([probabilities[0], 1 - probabilities[0]])\nclasses = [classes[0], \"not \" + classes[0]]\n"
        }
        _ => "",
    };
    format!(
        "{probabilities}{both}for i in probabilities.argsort()[::-1][:5]:\n    print(f\"{{probabilities[i]:6.1%}}  {{classes[i]}}\")\n"
    )
}

/// From a file to `x`, `(C, H, W)` float32: with the filter, crop and numbers of the preset.
fn pixels_python(pixels: &Preset) -> String {
    let mut text = image_python(pixels);
    let order = match pixels.channel_order {
        ChannelOrder::Rgb => "",
        ChannelOrder::Bgr => "[:, :, ::-1]  # blue first",
    };
    text += &format!("x = np.asarray(image, np.float32){order}\n");
    let scale = scale(pixels.scale);
    text += &format!("x = (x{scale} - np.float32({:?})) / np.float32({:?})\n", pixels.mean, pixels.std);
    text + "x = np.ascontiguousarray(x.transpose(2, 0, 1))\n"
}

/// From a file to `image`, resized and cropped.
fn image_python(pixels: &Preset) -> String {
    let filter = match pixels.filter {
        Filter::Bilinear => "BILINEAR",
        // Pillow has no other cubic; OpenCV's and Keras' differ where they shrink.
        Filter::Bicubic | Filter::BicubicOpencv | Filter::BicubicKeras => "BICUBIC",
    };
    let (width, height) = pixels.crop;
    let mut text = String::from("image = ImageOps.exif_transpose(Image.open(\"photo.jpg\")).convert(\"RGB\")\n");
    text += &match pixels.resize {
        Resize::Exact(w, h) => format!("image = image.resize(({w}, {h}), Image.Resampling.{filter})\n"),
        Resize::Shorter(side) => format!(
            "short = min(image.size)  # becomes {side} px\n\
             image = image.resize([{side} * side // short for side in image.size], Image.Resampling.{filter})\n"
        ),
    };
    if pixels.resize != Resize::Exact(width, height) {
        text += &format!(
            "left, top = round((image.width - {width}) / 2), round((image.height - {height}) / 2)\n\
             image = image.crop((left, top, left + {width}, top + {height}))\n"
        );
    }
    text
}

/// ` / 255`, ` * 0.5` or nothing.
fn scale(scale: f32) -> String {
    let inverse = 1.0 / f64::from(scale);
    if scale == 1.0 {
        String::new()
    } else if ((inverse * 2.0).round() / 2.0 - inverse).abs() < 1e-4 {
        format!(" / {}", (inverse * 2.0).round() / 2.0)
    } else {
        format!(" * {scale}")
    }
}

fn torch_python(model: &Portable<'_>, file: &str) -> String {
    let spec = model.spec;
    let classes = spec.classes.unwrap_or_default();
    let packaged = packaged_net(spec);
    let timm = if packaged.as_ref().is_some_and(|(package, _)| *package == "timm") { " timm" } else { "" };
    let file = quoted(file);
    let mut text = format!("# pip install torch torchvision{timm} safetensors pillow numpy\nimport json\n\n");
    text += "import numpy as np\nimport torch\n";
    let net = match (&packaged, cifar_blocks(spec)) {
        (Some((package, net)), _) => {
            text += &format!("import {package}\n");
            format!("model = {net}\n")
        }
        (None, Some(blocks)) => {
            text += "import torch.nn.functional as F\n";
            let (stages, last) = (blocks.stages, blocks.last);
            format!("model = Net([{stages}], {}, {last}, {classes})\n", blocks.stem)
        }
        (None, None) => String::new(),
    };
    text += "from PIL import Image, ImageOps\nfrom safetensors import safe_open\n";
    if packaged.is_none() && cifar_blocks(spec).is_some() {
        let projected = spec.shortcut == Shortcut::Projection;
        text += &cifar_python(projected);
    }
    text += &format!("\nwith safe_open({file}, \"pt\") as file:\n");
    if spec.classes.is_some() {
        text += "    classes = json.loads(file.metadata()[\"classes\"])\n";
    }
    text += "    state = {name: file.get_tensor(name) for name in file.keys()}\n";
    if net.is_empty() {
        let arch = &spec.arch;
        return text.replace("import numpy as np\n", "").replace("from PIL import Image, ImageOps\n", "")
            + &format!(
                "\n# PyTorch, torchvision and timm have no network of this kind ({arch}); a module of your own with these names takes\n\
                 # them with load_state_dict(state). Exported as ONNX, the model runs as it is.\n\
                 print({{name: tuple(tensor.shape) for name, tensor in state.items()}})\n"
            );
    }
    text += &net;
    text += "model.load_state_dict(state)\nmodel.eval()\n\n";
    text += &pixels_python(model.pixels);
    let result = if spec.classes.is_some() { "logits" } else { "features" };
    text += &format!("\nwith torch.no_grad():\n    {result} = model(torch.from_numpy(x)[None])[0].numpy()\n");
    text + &if spec.classes.is_some() { top_python(model) } else { "print(features.shape)\n".into() }
}

/// The package and the call that make the same net, where torchvision or timm has it.
fn packaged_net(spec: &ResNetSpec) -> Option<(&'static str, String)> {
    const TORCHVISION: [&str; 10] = [
        "resnet18",
        "resnet34",
        "resnet50",
        "resnet101",
        "resnet152",
        "resnext50_32x4d",
        "resnext101_32x8d",
        "resnext101_64x4d",
        "wide_resnet50_2",
        "wide_resnet101_2",
    ];
    /// Families of timm whose tensors have the names they have here.
    const TIMM: [&str; 2] = ["resnet", "resnext"];
    let classes = spec.classes?;
    let name = spec.arch.as_str();
    let published = ResNetSpec::named(name).ok()?;
    if published.stages.len() != 4 || published.with_classes(Some(classes)) != *spec {
        return None;
    }
    if TORCHVISION.contains(&name) {
        return Some(("torchvision", format!("torchvision.models.{name}(num_classes={classes})")));
    }
    let lettered = |family| name.strip_prefix(family).is_some_and(|rest: &str| rest.starts_with(|c: char| c.is_ascii_digit()));
    let is_timms = TIMM.iter().any(|family| lettered(*family)) && !name.contains('-') && !name.contains("v2");
    is_timms.then(|| ("timm", format!("timm.create_model(\"{name}\", num_classes={classes})")))
}

/// Arguments of the class in [`cifar_python`].
struct CifarNet {
    stages: String,
    stem: usize,
    last: usize,
}

/// Basic blocks behind a small stem, as the ResNet paper has them for CIFAR-10.
fn cifar_blocks(spec: &ResNetSpec) -> Option<CifarNet> {
    let fits = spec.order == BlockOrder::PostActivation
        && matches!(spec.shortcut, Shortcut::ZeroPad | Shortcut::Projection)
        && (spec.padding, spec.bias, spec.bn_eps) == (Padding::Symmetric, ConvBias::Never, 1e-5)
        && (spec.stem.kernel, spec.stem.stride, spec.stem.norm, spec.stem.relu) == (3, 1, true, true)
        && spec.stem.pool.is_none()
        && spec.stem.deep.is_none()
        && spec.stages.iter().all(|stage| stage.bottleneck.is_none())
        && spec.image_channels == 3
        && spec.classes.is_some();
    let first = spec.stride_unit == crate::model::resnet::StrideUnit::First;
    let stages: Vec<String> = spec.stages.iter().map(|s| format!("({}, {}, {})", s.blocks, s.channels, s.stride)).collect();
    let last = spec.stages.last()?.channels;
    (fits && first).then(|| CifarNet { stages: stages.join(", "), stem: spec.stem.channels, last })
}

fn cifar_python(projected: bool) -> String {
    let shortcut = if projected {
        "        if stride != 1 or c_in != c_out:\n            self.downsample = nn.Sequential(nn.Conv2d(c_in, c_out, 1, \
         stride, bias=False), nn.BatchNorm2d(c_out))\n"
    } else {
        ""
    };
    let join = if projected {
        "        if hasattr(self, \"downsample\"):\n            x = self.downsample(x)\n"
    } else {
        "        x = x[:, :, :: self.stride, :: self.stride]\n        extra = y.shape[1] - x.shape[1]  # channels of zeros \
         on both sides\n        x = F.pad(x, (0, 0, 0, 0, extra // 2, extra - extra // 2))\n"
    };
    format!(
        "from torch import nn\n\n\n\
         class Block(nn.Module):\n    def __init__(self, c_in, c_out, stride):\n        super().__init__()\n        \
         self.stride = stride\n        self.conv1 = nn.Conv2d(c_in, c_out, 3, stride, 1, bias=False)\n        \
         self.bn1 = nn.BatchNorm2d(c_out)\n        self.conv2 = nn.Conv2d(c_out, c_out, 3, 1, 1, bias=False)\n        \
         self.bn2 = nn.BatchNorm2d(c_out)\n{shortcut}\n    def forward(self, x):\n        \
         y = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))\n{join}        return F.relu(x + y)\n\n\n\
         class Net(nn.Module):\n    def __init__(self, stages, stem, last, classes):\n        super().__init__()\n        \
         self.conv1, self.bn1 = nn.Conv2d(3, stem, 3, 1, 1, bias=False), nn.BatchNorm2d(stem)\n        c_in = stem\n        \
         for k, (blocks, c_out, stride) in enumerate(stages, 1):\n            units = []\n            \
         for i in range(blocks):\n                units.append(Block(c_in, c_out, 1 if i else stride))\n                \
         c_in = c_out\n            setattr(self, f\"layer{{k}}\", nn.Sequential(*units))\n        self.stages = len(stages)\n        \
         self.fc = nn.Linear(last, classes)\n\n    def forward(self, x):\n        x = F.relu(self.bn1(self.conv1(x)))\n        \
         for k in range(self.stages):\n            x = getattr(self, f\"layer{{k + 1}}\")(x)\n        \
         return self.fc(x.mean((2, 3)))\n\n"
    )
}

fn onnx_javascript(model: &Portable<'_>, file: &str) -> String {
    let pixels = model.pixels;
    let (width, height) = pixels.crop;
    let file = quoted(file);
    let names = names_javascript(&answers(model.labels));
    let canvas = canvas_javascript(pixels);
    let order = match pixels.channel_order {
        ChannelOrder::Rgb => "c",
        ChannelOrder::Bgr => "2 - c", // blue first
    };
    let scale = scale(pixels.scale);
    let area = width as usize * height as usize;
    let (mean, std) = (pixels.mean, pixels.std);
    let result = match model.spec.classes {
        None => "const { features } = await session.run({ input });\nconsole.log(features.dims, features.data);\n".into(),
        Some(classes) => format!(
            "const {{ logits }} = await session.run({{ input }});\n\
             {}\
             const order = probabilities.map((p, i) => [p, i]).sort((a, b) => b[0] - a[0]);\n\
             {names}for (const [p, i] of order.slice(0, 5)) console.log(`${{(100 * p).toFixed(1)}} %  ${{classes[i]}}`);\n",
            probabilities_javascript(model.activation, classes)
        ),
    };
    format!(
        "// npm install onnxruntime-web (a canvas resizes a little differently from the training: expect small differences)\n\
         import * as ort from 'onnxruntime-web';\n\n\
         const session = await ort.InferenceSession.create({file});\n\
         {canvas}\
         const {{ data }} = context.getImageData(0, 0, {width}, {height});\n\
         const [mean, std] = [{mean:?}, {std:?}];\n\
         const x = Float32Array.from({{ length: 3 * {area} }}, (_, i) => {{\n  \
         const [c, at] = [Math.floor(i / {area}), i % {area}];\n  \
         return (data[4 * at + {order}]{scale} - mean[c]) / std[c];\n}});\n\
         const input = new ort.Tensor('float32', x, [1, 3, {height}, {width}]);\n\n{result}"
    )
}

/// From a file to a canvas of the network's size, with its `context`. Browsers turn pictures as their EXIF says.
fn canvas_javascript(pixels: &Preset) -> String {
    let (width, height) = pixels.crop;
    let resized = match pixels.resize {
        Resize::Exact(w, h) => format!("const [w, h] = [{w}, {h}];\n"),
        Resize::Shorter(side) => format!(
            "const short = Math.min(image.width, image.height); // becomes {side} px\n\
             const [w, h] = [image.width, image.height].map((side) => Math.floor(({side} * side) / short));\n"
        ),
    };
    format!(
        "const image = await createImageBitmap(await (await fetch('photo.jpg')).blob());\n\n\
         {resized}\
         const context = new OffscreenCanvas({width}, {height}).getContext('2d');\n\
         context.imageSmoothingQuality = 'high';\n\
         context.drawImage(image, Math.round(({width} - w) / 2), Math.round(({height} - h) / 2), w, h);\n"
    )
}

/// From `logits` to `probabilities`.
fn probabilities_javascript(activation: Activation, classes: usize) -> &'static str {
    match (activation, classes) {
        (_, 1) => "const yes = 1 / (1 + Math.exp(-logits.data[0]));\nconst probabilities = [yes, 1 - yes];\n",
        (Activation::Sigmoid, _) => {
            "const probabilities = Array.from(logits.data, (v) => 1 / (1 + Math.exp(-v))); // each a yes or no of its own\n"
        }
        (Activation::Softmax, _) => {
            "const largest = Math.max(...logits.data);\n\
             const powers = Array.from(logits.data, (v) => Math.exp(v - largest));\n\
             const sum = powers.reduce((a, b) => a + b);\n\
             const probabilities = powers.map((p) => p / sum);\n"
        }
    }
}

/// The names as a list, or what stands for many.
fn names_javascript(labels: &[String]) -> String {
    if labels.len() <= MAX_NAMES {
        // A list of strings is JSON, and JSON is JavaScript.
        let list = serde_json::to_string(labels).unwrap_or_default();
        return format!("const classes = {list};\n");
    }
    let count = labels.len();
    format!(
        "// {count} names, which onnxruntime-web cannot read from the file: copy them from its metadata (`classes`).\n\
         const classes = Array.from({{ length: {count} }}, (_, i) => `class ${{i}}`);\n"
    )
}

fn module_javascript(model: &Portable<'_>, file: &str) -> String {
    let file = quoted(file);
    if model.spec.classes.is_none() {
        return "// This model ends in features without a head, so it names no classes. Export it as ONNX to run it.\n".into();
    }
    format!(
        "// reslab.js, reslab.d.ts and all reslab-* files stand beside the page of ResLab; copy them to your site.\n\
         import init, {{ Classifier }} from './reslab.js';\n\n\
         await init();\n\
         const classifier = await Classifier.load({file});\n\
         const {{ classes }} = await classifier.classify(document.querySelector('img'), {{ top: 5 }});\n\
         for (const {{ label, probability }} of classes) console.log(`${{(100 * probability).toFixed(1)}} %  ${{label}}`);\n"
    )
}

/// A string as Python and JavaScript both read it.
fn quoted(text: &str) -> String {
    serde_json::to_string(text).unwrap_or_default()
}
