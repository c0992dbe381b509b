//! ONNX files of the golden nets, for tests/golden/check_onnx.py, which holds what ONNX Runtime makes of them against the golden
//! values. `cargo xtask golden` runs both.

use crate::generator;
use crate::golden;
use std::path::PathBuf;

use reslab::weights::{HostTensor, StateDict, detect, onnx};

/// Some gigabytes of files in the folder RESLAB_ONNX_DIR, so nothing of the usual run.
#[test]
#[ignore = "writes gigabytes for check_onnx.py"]
fn write_every_golden_net() {
    let dir = PathBuf::from(std::env::var_os("RESLAB_ONNX_DIR").expect("RESLAB_ONNX_DIR names a folder"));
    std::fs::create_dir_all(&dir).unwrap();
    let values = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/values");
    for entry in std::fs::read_dir(values).unwrap().flatten() {
        let path = entry.path();
        let Some(name) = path.file_name().and_then(|name| name.to_str()?.strip_suffix(".safetensors")) else { continue };
        let case = golden::case(name);
        let mut state = StateDict::default();
        for param in case.spec.build().unwrap().params() {
            let values = generator::tensor(&param.name, &param.shape);
            state.tensors.insert(param.name, HostTensor::new(param.shape, values));
        }
        let metadata = detect::metadata(&case.spec, None, None);
        let file = onnx::write(&case.spec, &state, (case.input.h, case.input.w), &metadata).unwrap();
        std::fs::write(dir.join(format!("{name}.onnx")), file).unwrap();
    }
}
