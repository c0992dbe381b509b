//! What the kernels for graphics cards must reach, as RADV compiles them: no card is needed, the driver is.

use std::process::Command;

use serde_json::Value;

/// Shares of the f32 peak that the inner loop allows, in percent, on navi21 with wgpu's checks: by issue slots of the vector unit, and
/// by those of all instructions.
const FLOORS: [(&str, f64, f64); 9] = [
    ("conv2d_tiled_128x64", 90.0, 78.0),
    ("conv2d_tiled_64x64", 90.0, 78.0),
    ("conv2d_tiled_64x32", 88.0, 75.0),
    ("conv2d_tiled_128x16", 84.0, 70.0),
    ("conv2d_tiled_32x32", 82.0, 68.0),
    ("conv2d_d_weight_128x64", 90.0, 78.0),
    ("conv2d_d_weight_64x64", 86.0, 72.0),
    ("conv2d_d_weight_64x32", 86.0, 72.0),
    ("conv2d_d_weight_128x16", 83.0, 69.0),
];

/// Families with the registers that an invocation may use: more would leave a SIMD too few waves.
const FAMILIES: [(&str, u64); 4] = [("navi21", 128), ("gfx1100", 132), ("vega10", 128), ("polaris10", 128)];

#[test]
fn convolutions_keep_the_multipliers_busy() {
    let mut wrong = Vec::new();
    for (family, registers) in FAMILIES {
        let run = Command::new(env!("CARGO_BIN_EXE_reslab-kernels"))
            .args(["--json", "--family", family, "conv2d_tiled", "conv2d_d_weight_1", "conv2d_d_weight_6"])
            .output()
            .unwrap();
        if !run.status.success() {
            let said = String::from_utf8_lossy(&run.stderr).into_owned();
            assert!(said.contains("apt-get install"), "{said}");
            println!("skipped: {said}");
            return;
        }
        let reports: Vec<Value> = serde_json::from_slice(&run.stdout).unwrap();
        for (kernel, vector, slots) in FLOORS {
            let report = reports.iter().find(|report| report["name"] == kernel).expect(kernel);
            let number = |key: &str| report[key].as_u64().unwrap();
            let percent = |key: &str| 100.0 * report["inner"][key].as_f64().unwrap();
            if number("registers") > registers || number("spilled") + number("scratch") > 0 {
                wrong.push(format!("{kernel} on {family}: more than {registers} registers, or spills: {report}"));
            }
            let (got_vector, got_slots) = (percent("vector_bound"), percent("slot_bound"));
            if family == "navi21" && (got_vector < vector || got_slots < slots) {
                wrong.push(format!("{kernel}: {got_vector:.1} of at least {vector}, {got_slots:.1} of at least {slots}"));
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}
