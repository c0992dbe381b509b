//! The network tables against the golden values, on the CPU and without a GPU: when a parity test on the GPU fails and this one
//! passes, the fault lies in the plan or a kernel, not in a table.
//!
//! Every form of every family once; `tests/golden_parity.rs` has all depths.
#![cfg(not(target_arch = "wasm32"))]

#[path = "common/generator.rs"]
mod generator;
#[path = "common/golden.rs"]
mod golden;
#[path = "common/reference.rs"]
mod reference;

fn check(name: &str) {
    let case = golden::case(name);
    let graph = case.spec.build().unwrap();
    let values = reference::run(&graph, case.input, &case.image());
    for point in &case.points {
        case.check_point(point, &values[graph.value(&point.name).unwrap().0], 1e-5);
    }
    let worst = case.check_logits(&values[graph.value(case.result()).unwrap().0], 1e-5);
    println!("{name}: logits within {worst:.1e} of the largest");
}

#[test]
fn v1() {
    check("resnet18");
    check("resnet50@odd");
}

#[test]
fn variations() {
    for name in ["resnet18d@odd", "resnet26t", "resnext50_32x4d", "resnetv2_50d"] {
        check(name);
    }
}

#[test]
fn v2() {
    check("resnet50v2-slim@odd");
    check("resnet50v2-keras@odd");
}

#[test]
fn cifar_v1() {
    for name in ["resnet20", "resnet20@odd", "resnet20-projection", "resnet20-keras", "resnet20-keras@odd"] {
        check(name);
    }
}

#[test]
fn cifar_v2() {
    check("resnet56v2");
}

#[test]
fn custom_tables() {
    for name in ["labml-basic", "labml-bottleneck", "resnet50-51-classes"] {
        check(name);
    }
}
