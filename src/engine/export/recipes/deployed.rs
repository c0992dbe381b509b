//! Programs for the formats that take pixels and give probabilities: TensorFlow.js and TensorFlow Lite.

use super::{Portable, Recipes, canvas_javascript, image_python, quoted};

/// For the folder with the three files, beside the page.
pub(super) fn tensorflow_js(model: &Portable<'_>) -> Recipes {
    let canvas = canvas_javascript(model.pixels);
    let result = match model.spec.classes {
        None => "const features = await model.predict(x).data();\nconsole.log(features);\n".into(),
        Some(_) => format!(
            "const probabilities = await model.predict(x).data();\n\
             const {{ labels }} = await (await fetch('model/metadata.json')).json();\n{}",
            best_javascript("labels")
        ),
    };
    let javascript = format!(
        "// npm install @tensorflow/tfjs (the three files unpacked into `model`)\n\
         // @teachablemachine/image opens them too: tmImage.load('model/model.json', 'model/metadata.json')\n\
         import * as tf from '@tensorflow/tfjs';\n\n\
         const model = await tf.loadLayersModel('model/model.json');\n{canvas}\
         // the model wants pixels of -1 to 1, whatever its network was trained on\n\
         const x = tf.browser.fromPixels(context.canvas).toFloat().div(127).sub(1).expandDims();\n{result}"
    );
    Recipes { python: String::new(), javascript, others: Vec::new() }
}

/// For the file in any kind of numbers.
pub(super) fn tensorflow_lite(model: &Portable<'_>, file: &str) -> Recipes {
    let (image, canvas) = (image_python(model.pixels), canvas_javascript(model.pixels));
    let (width, height) = model.pixels.crop;
    let name = quoted(file);
    let asset = quoted(file.rsplit(['/', '\\']).next().unwrap_or(file));
    let (labels, read, best) = match model.spec.classes {
        None => ("", "features = interpreter.get_tensor(output[\"index\"])[0]\n", "print(features.shape)\n"),
        Some(_) => (
            "classes = zipfile.ZipFile(file).read(\"labels.txt\").decode().splitlines()\n",
            "probabilities = interpreter.get_tensor(output[\"index\"])[0] / (256 if output[\"dtype\"] == np.uint8 else 1)\n",
            "for i in probabilities.argsort()[::-1][:5]:\n    print(f\"{probabilities[i]:6.1%}  {classes[i]}\")\n",
        ),
    };
    let zip = if labels.is_empty() { "" } else { "import zipfile\n\n" };
    let python = format!(
        "# pip install ai-edge-litert pillow numpy\n{zip}import numpy as np\nfrom ai_edge_litert.interpreter import Interpreter\n\
         from PIL import Image, ImageOps\n\nfile = {name}\n{labels}\
         interpreter = Interpreter(file)\ninterpreter.allocate_tensors()\n\
         (input,), (output,) = interpreter.get_input_details(), interpreter.get_output_details()\n\n{image}\n\
         # red, green, blue of 0 to 255: the model itself makes of them what it was trained on\n\
         interpreter.set_tensor(input[\"index\"], np.asarray(image, input[\"dtype\"])[None])\n\
         interpreter.invoke()\n{read}{best}"
    );
    let (from, result) = match model.spec.classes {
        None => ("features", "console.log(features);\n".into()),
        Some(_) => (
            "probabilities",
            format!("{}{}", super::names_javascript(&super::answers(model.labels)), best_javascript("classes")),
        ),
    };
    let javascript = format!(
        "// npm install @litertjs/core (its folder `wasm` beside the page); accelerator: 'webgpu' where there is a graphics card\n\
         import {{ loadLiteRt, loadAndCompile, Tensor }} from '@litertjs/core';\n\n\
         await loadLiteRt('./wasm/');\n\
         const model = await loadAndCompile({name}, {{ accelerator: 'wasm' }});\n{canvas}\
         const {{ data }} = context.getImageData(0, 0, {width}, {height});\n\
         // red, green, blue of 0 to 255\n\
         const x = Float32Array.from({{ length: {} }}, (_, i) => data[4 * Math.floor(i / 3) + (i % 3)]);\n\
         const [output] = await model.run(Tensor.fromTypedArray(x, [1, {height}, {width}, 3]));\n\
         const {from} = await output.data();\n{result}",
        3 * width * height
    );
    let others = match model.spec.classes {
        None => Vec::new(),
        Some(_) => vec![("Kotlin", kotlin(&asset)), ("Swift", swift(&asset))],
    };
    Recipes { python, javascript, others }
}

/// From `probabilities` to the best five.
fn best_javascript(names: &str) -> String {
    format!(
        "const order = Array.from(probabilities, (p, i) => [p, i]).sort((a, b) => b[0] - a[0]);\n\
         for (const [p, i] of order.slice(0, 5)) console.log(`${{(100 * p).toFixed(1)}} %  ${{{names}[i]}}`);\n"
    )
}

fn kotlin(asset: &str) -> String {
    format!(
        "// implementation(\"com.google.mediapipe:tasks-vision:0.10.29\"), the file in assets. Not run by us.\n\
         val classifier = ImageClassifier.createFromFile(context, {asset})\n\
         val result = classifier.classify(BitmapImageBuilder(bitmap).build())\n\
         for (category in result.classificationResult().classifications()[0].categories()) {{\n    \
         println(\"${{category.categoryName()}} ${{category.score()}}\")\n}}\n"
    )
}

fn swift(asset: &str) -> String {
    let stem = asset.replace(".tflite", "");
    format!(
        "// pod 'MediaPipeTasksVision', the file in the bundle. Not run by us.\n\
         let path = Bundle.main.path(forResource: {stem}, ofType: \"tflite\")!\n\
         let classifier = try ImageClassifier(modelPath: path)\n\
         let result = try classifier.classify(image: MPImage(uiImage: image))\n\
         for category in result.classificationResult.classifications[0].categories {{\n    \
         print(category.categoryName ?? \"\", category.score)\n}}\n"
    )
}
