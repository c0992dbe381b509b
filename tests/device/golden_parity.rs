//! Every net on the GPU against its reference's golden values (`tests/golden/README.md`): logits, and on the way there the
//! last stem layer and every stage. f32 and, where the adapter has it, f16.

use crate::generator;
use std::sync::LazyLock;

use reslab::device::{Device, DeviceKind, DeviceOptions, Precision};
use reslab::model::{InferencePlan, PlanOptions};
use reslab::ops::{ConvKernel, Method};
use reslab::weights::{self, HostTensor, StateDict};

use crate::golden::{self, Case};

/// Allowed error of f32, in units of the largest golden magnitude.
const F32_TOLERANCE: f32 = 1e-4;
/// The same for f16 storage with f32 sums.
const F16_TOLERANCE: f32 = 2e-2;

static SOFTWARE: LazyLock<Device> =
    LazyLock::new(|| pollster::block_on(Device::new(DeviceOptions::software())).expect("a Vulkan, Metal or DX12 adapter"));
static CPU: LazyLock<Device> =
    LazyLock::new(|| pollster::block_on(Device::new(DeviceOptions::of(DeviceKind::Cpu))).expect("a processor"));

fn run(ctx: &Device, case: &Case, weights: &StateDict, precision: Precision, conv_kernel: Option<ConvKernel>, taps: bool) {
    let graph = case.spec.build().unwrap();
    let options = PlanOptions {
        precision,
        batch: case.input.n,
        height: case.input.h,
        width: case.input.w,
        taps: if taps { case.points.iter().map(|point| point.name.clone()).collect() } else { Vec::new() },
        conv_kernel,
    };
    let tolerance = if precision == Precision::F16 { F16_TOLERANCE } else { F32_TOLERANCE };
    let plan = InferencePlan::new(ctx, &graph, weights, options).unwrap();
    plan.input().write_nchw(ctx, &case.image());
    plan.run(ctx).unwrap();
    let read = |name: &str| pollster::block_on(plan.read(ctx, name)).unwrap();
    if taps {
        for point in &case.points {
            case.check_point(point, &read(&point.name), tolerance);
        }
    }
    let worst = case.check_logits(&read(case.result()), tolerance);
    let kernel = conv_kernel.map_or(String::new(), |kernel| format!(" with {kernel:?}"));
    println!("{} on {} {precision:?}{kernel}: logits within {worst:.1e} of the largest", case.name, ctx.kind());
}

fn generated(case: &Case) -> StateDict {
    let mut state = StateDict::default();
    for param in case.spec.build().unwrap().params() {
        let values = generator::tensor(&param.name, &param.shape);
        state.tensors.insert(param.name, HostTensor::new(param.shape, values));
    }
    state
}

/// Once with the end points kept, once as a user runs it.
fn check(name: &str) {
    let case = golden::case(name);
    let weights = generated(&case);
    for device in [&CPU, &SOFTWARE] {
        run(device, &case, &weights, Precision::F32, None, true);
    }
    if SOFTWARE.has_f16() {
        run(&SOFTWARE, &case, &weights, Precision::F16, None, false);
    } else {
        println!("{name}: f16 not run, {} has no shader-f16", SOFTWARE.adapter().name);
    }
}

macro_rules! parity {
    ($($test:ident: $($name:literal),+;)+) => {
        $(#[test]
        fn $test() {
            for name in [$($name),+] {
                check(name);
            }
        })+

        /// No golden file is left out above.
        #[test]
        fn every_golden_file_is_tested() {
            let mut tested: Vec<&str> = [$(&[$($name),+][..]),+].concat();
            tested.sort_unstable();
            let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/values");
            let mut files: Vec<String> = std::fs::read_dir(folder)
                .unwrap()
                .filter_map(|entry| entry.unwrap().file_name().into_string().unwrap().strip_suffix(".safetensors").map(str::to_owned))
                .collect();
            files.sort_unstable();
            assert_eq!(tested, files);
        }
    };
}

parity! {
    v1_basic: "resnet18", "resnet34";
    v1_bottleneck: "resnet50", "resnet50@odd", "resnet50-caffe", "resnet101", "resnet152";
    resnext_and_wide: "resnext50_32x4d", "wide_resnet50_2";
    resnet_d: "resnet18d", "resnet18d@odd", "resnet50d";
    resnet_s_and_t: "resnet26t", "resnet50s";
    timm_v2: "resnetv2_50", "resnetv2_50d";
    v2_slim: "resnet50v2-slim", "resnet50v2-slim@odd", "resnet101v2-slim", "resnet152v2-slim", "resnet200v2-slim";
    v2_keras: "resnet50v2-keras", "resnet50v2-keras@odd", "resnet101v2-keras", "resnet152v2-keras";
    cifar_v1: "resnet20", "resnet20@odd", "resnet32", "resnet44", "resnet56", "resnet110";
    cifar_v1_other_shortcuts: "resnet20-projection", "resnet20-keras", "resnet20-keras@odd";
    cifar_v2: "resnet56v2", "resnet110v2", "resnet164v2";
    cifar_v2_of_1001_layers: "resnet1001v2";
    labml_base: "labml-basic", "labml-bottleneck";
    resnet50_for_51_classes: "resnet50-51-classes";
    three_by_three_shortcuts: "resnet14-residual-block";
    without_root_and_pool: "dense-without-root";
}

/// Whatever kernel tuning or another adapter picks, the nets come out the same.
#[test]
fn every_convolution_kernel() {
    for name in ["resnet18", "resnet20-keras@odd", "labml-bottleneck"] {
        let case = golden::case(name);
        let weights = generated(&case);
        for kernel in ConvKernel::all() {
            run(&SOFTWARE, &case, &weights, Precision::F32, Some(kernel), false);
            // Winograd is never chosen for f16.
            if SOFTWARE.has_f16() && kernel.method == Method::Direct {
                run(&SOFTWARE, &case, &weights, Precision::F16, Some(kernel), false);
            }
        }
    }
}

/// Files that Keras wrote, with the logits it gave (`tests/fixtures/weights/make_keras.py`).
#[test]
fn keras_files_give_keras_logits() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/weights/keras");
    let expected = std::fs::read(format!("{folder}/expected.safetensors")).unwrap();
    let expected = reslab::weights::read("expected", &expected).unwrap();
    let pixels = &expected.tensors["input"];
    for name in [
        "v1.weights.h5",
        "v1.h5",
        "v2.weights.h5",
        "v2.h5",
        "transfer.keras",
        "transfer.weights.h5",
        "two.keras",
        "two.weights.h5",
        "example1.weights.h5",
        "example1.h5",
        "example2.weights.h5",
        "example2.h5",
    ] {
        // The archive around it is for the fixture's size.
        let bytes = std::fs::read(format!("{folder}/{name}.zip")).unwrap();
        let (found, _) = weights::load(&weights::Files::alone(name, &bytes), &weights::Choices::default()).unwrap();
        let of = name.split('.').next().unwrap();
        // The example's pool wants exactly 32 x 32.
        let (whole, side) = (pixels.shape[2], if of.starts_with("example") { 32 } else { pixels.shape[2] });
        let scale = if of == "transfer" { (127.5, 1.0) } else { (64.0, 2.0) };
        let cut = pixels.data.chunks(whole).enumerate().filter(|(row, _)| row % whole < side);
        let input: Vec<f32> = cut.flat_map(|(_, row)| &row[..side]).map(|v| v / scale.0 - scale.1).collect();
        gives(name, &found, &input, side, &expected.tensors[of].data);
    }
}

/// Holds the logits of a loaded file for pictures of `side` x `side` against its framework's.
fn gives(name: &str, found: &weights::detect::Detected, input: &[f32], side: usize, expected: &[f32]) {
    let options = PlanOptions { height: side, width: side, ..PlanOptions::new(side) };
    for device in [&CPU, &SOFTWARE] {
        let graph = found.spec.build().unwrap();
        let plan = InferencePlan::new(device, &graph, &found.weights, options.clone()).unwrap();
        plan.input().write_nchw(device, input);
        plan.run(device).unwrap();
        let logits = pollster::block_on(plan.read(device, "fc")).unwrap();
        for (ours, theirs) in logits.iter().zip(expected) {
            assert!((ours - theirs).abs() < 2e-4 * theirs.abs().max(1.0), "{name}: {ours} is not {theirs}");
        }
    }
}

/// Pre-activation nets as PyTorch's exporters write them, with PyTorch's logits (`tests/fixtures/weights/make_preact.py`).
#[test]
fn pre_activation_nets_of_onnx_give_pytorchs_logits() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/weights/preact");
    let expected = std::fs::read(format!("{folder}/expected.safetensors")).unwrap();
    let expected = reslab::weights::read("expected", &expected).unwrap();
    let pixels = &expected.tensors["input"];
    for name in ["imagenet", "small"] {
        for exporter in ["script", "program"] {
            let file = format!("{name}_{exporter}.onnx.zip");
            let bytes = std::fs::read(format!("{folder}/{file}")).unwrap();
            let (found, _) = weights::load(&weights::Files::alone(&file, &bytes), &weights::Choices::default()).unwrap();
            gives(&file, &found, &pixels.data, pixels.shape[2], &expected.tensors[name].data);
        }
    }
}

/// Checkpoints that TensorFlow wrote, with the logits it gave (`tests/fixtures/weights/make_tensorflow.py`).
#[test]
fn tensorflow_checkpoints_give_tensorflows_logits() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/weights/tensorflow");
    for (part, names) in [
        ("slim", &["slim_v1", "slim_v2", "slim_old"][..]),
        ("keras", &["keras_v1", "keras_v2", "keras_exported", "keras_saved"]),
        ("keras2", &["keras2", "keras2_saved"]),
    ] {
        let expected = std::fs::read(format!("{folder}/{part}.safetensors")).unwrap();
        let expected = reslab::weights::read("expected", &expected).unwrap();
        let pixels = &expected.tensors["input"];
        for name in names {
            let bytes = std::fs::read(format!("{folder}/{name}.zip")).unwrap();
            let (found, _) = weights::load(&weights::Files::alone(name, &bytes), &weights::Choices::default()).unwrap();
            let of = match *name {
                "slim_old" => "slim_v1",
                "keras_exported" => "keras_v1",
                name => name,
            };
            gives(name, &found, &pixels.data, pixels.shape[2], &expected.tensors[of].data);
        }
    }
}

/// Bits written by `tests/golden/generator.py`: first, second and last element.
#[test]
fn the_generator_makes_the_bits_of_its_python_twin() {
    let cases: [(&str, &[usize], [u32; 3]); 5] = [
        ("input", &[2, 3, 64, 64], [0xbf4d_eac2, 0x3e9c_045c, 0xbf6f_6a2e]),
        ("layer1.0.conv1.weight", &[64, 64, 3, 3], [0x3d8e_bd32, 0x3c74_d7ff, 0xbd5a_4c21]),
        ("layer1.0.bn1.weight", &[64], [0x3eb3_cee8, 0x3f32_1662, 0x3efd_6e0a]),
        ("fc.weight", &[10, 64], [0xbbd9_dc40, 0x3e25_10f3, 0xbd2a_811d]),
        ("bn1.running_var", &[64], [0x3f92_3722, 0x3fa4_b456, 0x3fa0_cdce]),
    ];
    for (name, shape, bits) in cases {
        let t = generator::tensor(name, shape);
        let ours = [t[0], t[1], t[t.len() - 1]].map(f32::to_bits);
        assert_eq!(ours, bits, "{name}");
    }
}
