//! The file's structure, read back with a reader of protocol buffers; what ONNX Runtime makes of it is tested in
//! tests/e2e/onnx.spec.mjs and tests/golden/check_onnx.py.

use std::collections::HashSet;

use super::*;
use crate::model::resnet::{NAMED, Shortcut, Stage};
use crate::weights::HostTensor;

/// A field: its number and what it holds.
#[derive(Debug, Clone, PartialEq)]
enum Value<'a> {
    Int(u64),
    Bytes(&'a [u8]),
    Four([u8; 4]),
}

fn fields(mut bytes: &[u8]) -> Vec<(u64, Value<'_>)> {
    fn varint(bytes: &mut &[u8]) -> u64 {
        let mut value = 0;
        for shift in (0..).step_by(7) {
            let (byte, rest) = bytes.split_first().expect("a whole varint");
            *bytes = rest;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                break;
            }
        }
        value
    }
    fn take<'a>(bytes: &mut &'a [u8], count: usize) -> &'a [u8] {
        let (taken, rest) = bytes.split_at_checked(count).expect("a length within the message");
        *bytes = rest;
        taken
    }
    let mut found = Vec::new();
    while !bytes.is_empty() {
        let tag = varint(&mut bytes);
        let value = match tag & 7 {
            0 => Value::Int(varint(&mut bytes)),
            2 => {
                let length = varint(&mut bytes) as usize;
                Value::Bytes(take(&mut bytes, length))
            }
            5 => Value::Four(take(&mut bytes, 4).try_into().unwrap()),
            other => panic!("wire type {other}"),
        };
        found.push((tag >> 3, value));
    }
    found
}

fn messages(bytes: &[u8], field: u64) -> Vec<&[u8]> {
    let all = fields(bytes).into_iter().filter(|(number, _)| *number == field);
    all.map(|(_, value)| if let Value::Bytes(bytes) = value { bytes } else { panic!("{value:?}") }).collect()
}

fn texts(bytes: &[u8], field: u64) -> Vec<&str> {
    messages(bytes, field).into_iter().map(|text| std::str::from_utf8(text).unwrap()).collect()
}

fn ints(bytes: &[u8], field: u64) -> Vec<u64> {
    let all = fields(bytes).into_iter().filter(|(number, _)| *number == field);
    all.map(|(_, value)| if let Value::Int(int) = value { int } else { panic!("{value:?}") }).collect()
}

fn weights(spec: &ResNetSpec) -> StateDict {
    let mut state = StateDict::default();
    for (k, param) in spec.build().unwrap().params().into_iter().enumerate() {
        let count = param.shape.iter().product();
        state.tensors.insert(param.name, HostTensor::new(param.shape, vec![k as f32 + 0.5; count]));
    }
    state
}

fn graph_of(spec: &ResNetSpec, size: (usize, usize)) -> Vec<u8> {
    let file = write(spec, &weights(spec), size, &IndexMap::new()).unwrap();
    messages(&file, 7)[0].to_vec()
}

/// Operators of a graph with their names, inputs and attributes.
fn node<'a>(graph: &'a [u8], name: &str) -> &'a [u8] {
    let found = messages(graph, 1).into_iter().find(|node| texts(node, 3) == [name]);
    found.unwrap_or_else(|| panic!("no node `{name}`"))
}

fn list(node: &[u8], attribute: &str) -> Vec<u64> {
    let found = messages(node, 5).into_iter().find(|a| texts(a, 1) == [attribute]);
    found.map(|a| ints(a, 8)).unwrap_or_else(|| panic!("no attribute `{attribute}`"))
}

#[test]
fn a_file_says_what_it_is_and_holds_every_parameter_bit_by_bit() {
    let spec = ResNetSpec::named("resnet20").unwrap();
    let mut state = weights(&spec);
    state.tensors["fc.bias"].data[3] = -1.25e-7;
    let metadata = IndexMap::from([("classes".to_string(), "[\"á\",\"b\"]".to_string()), ("arch".into(), "resnet20".into())]);
    let file = write(&spec, &state, (32, 40), &metadata).unwrap();
    assert_eq!(file.len(), file.capacity(), "the size is known beforehand");
    assert_eq!((ints(&file, 1), texts(&file, 2)), (vec![8], vec!["reslab"]));
    assert_eq!(ints(messages(&file, 8)[0], 2), [17]);
    let props: Vec<(&str, &str)> = messages(&file, 14).iter().map(|p| (texts(p, 1)[0], texts(p, 2)[0])).collect();
    assert_eq!(props, [("classes", "[\"á\",\"b\"]"), ("arch", "resnet20")]);

    let graph = messages(&file, 7)[0];
    assert_eq!(texts(graph, 2), ["resnet20"]);
    let tensors = messages(graph, 5);
    for param in spec.build().unwrap().params() {
        let tensor = tensors.iter().find(|t| texts(t, 8) == [param.name.as_str()]).expect("its checkpoint key");
        assert_eq!(ints(tensor, 1), param.shape.iter().map(|s| *s as u64).collect::<Vec<_>>(), "{}", param.name);
        assert_eq!(ints(tensor, 2), [1], "float32");
        let data: Vec<u8> = state.tensors[&param.name].data.iter().flat_map(|v| v.to_le_bytes()).collect();
        assert_eq!(messages(tensor, 9), [&data[..]], "{}", param.name);
    }
    let shape = |field: u64| {
        let value = messages(graph, field)[0];
        let tensor = messages(messages(value, 2)[0], 1)[0];
        let dims = messages(messages(tensor, 2)[0], 1);
        let sizes: Vec<u64> = dims[1..].iter().flat_map(|d| ints(d, 1)).collect();
        (texts(value, 1)[0].to_string(), ints(tensor, 1), texts(dims[0], 2)[0].to_string(), sizes)
    };
    assert_eq!(shape(11), ("input".into(), vec![1], "N".into(), vec![3, 32, 40]));
    assert_eq!(shape(12), ("logits".into(), vec![1], "N".into(), vec![10]));
}

/// Every input was written before, every name once: what every reader of ONNX wants first.
#[test]
fn every_named_net_is_a_sound_graph() {
    for arch in NAMED.iter().filter(|arch| !["resnet1202", "resnet1001v2"].contains(arch)) {
        // A narrow relative with the same layers.
        let mut spec = ResNetSpec::named(arch).unwrap().with_classes(Some(7));
        spec.stem.channels /= 4;
        for stage in &mut spec.stages {
            stage.channels /= 4;
            stage.bottleneck = stage.bottleneck.map(|width| width / 4);
        }
        let size = spec.default_image_size();
        let graph = graph_of(&spec, (size, size));
        let mut known: HashSet<String> = texts_of(&messages(&graph, 5), 8);
        assert_eq!(known.len(), messages(&graph, 5).len(), "{arch}: two constants of one name");
        known.insert(INPUT.into());
        let mut nodes = HashSet::new();
        for node in messages(&graph, 1) {
            for input in texts(node, 1) {
                assert!(known.contains(input), "{arch}: {:?} reads `{input}` before it is there", texts(node, 3));
            }
            assert!(known.insert(texts(node, 2)[0].into()), "{arch}: `{}` is written twice", texts(node, 2)[0]);
            assert!(nodes.insert(texts(node, 3)[0]), "{arch}: two nodes `{}`", texts(node, 3)[0]);
        }
        assert!(known.contains(LOGITS), "{arch}");
        let norms = messages(&graph, 1).iter().filter(|n| texts(n, 4) == ["BatchNormalization"]).count();
        let wanted = spec.build().unwrap().nodes.iter().filter(|n| n.op.name() == "batch_norm").count();
        assert_eq!(norms, wanted, "{arch}: batch norm stays");
    }
}

fn texts_of(messages: &[&[u8]], field: u64) -> HashSet<String> {
    messages.iter().flat_map(|m| texts(m, field)).map(String::from).collect()
}

#[test]
fn padding_is_written_out_as_numbers() {
    // TensorFlow's SAME puts the odd cell at the end; symmetric padding does not.
    let keras = graph_of(&ResNetSpec::named("resnet20-keras").unwrap(), (32, 33));
    assert_eq!(list(node(&keras, "layer2.0.conv1"), "pads"), [0, 1, 1, 1]);
    let plain = graph_of(&ResNetSpec::named("resnet20").unwrap(), (32, 33));
    assert_eq!(list(node(&plain, "layer2.0.conv1"), "pads"), [1, 1, 1, 1]);
    assert_eq!(list(node(&plain, "layer2.0.conv1"), "strides"), [2, 2]);
    let epsilon = |graph: &[u8]| {
        let found = messages(node(graph, "bn1"), 5).into_iter().find(|a| texts(a, 1) == ["epsilon"]).unwrap().to_vec();
        fields(&found).iter().find(|(number, _)| *number == 2).map(|(_, value)| format!("{value:?}")).unwrap()
    };
    assert_eq!(epsilon(&keras), format!("{:?}", Value::Four(1e-3_f32.to_le_bytes())));
    assert_eq!(epsilon(&plain), format!("{:?}", Value::Four(1e-5_f32.to_le_bytes())));
}

#[test]
fn shortcuts_without_parameters_become_pools_and_pads() {
    let graph = graph_of(&ResNetSpec::named("resnet20").unwrap(), (32, 32));
    let constant = |name: &str| -> Vec<u8> {
        let tensor = messages(&graph, 5).into_iter().find(|t| texts(t, 8) == [name]).unwrap();
        assert_eq!((ints(tensor, 1), ints(tensor, 2)), (vec![8], vec![7]), "eight int64");
        messages(tensor, 9)[0].chunks_exact(8).map(|n| n[0]).collect()
    };
    let subsample = node(&graph, "layer2.0.downsample.subsample");
    assert_eq!(texts(subsample, 4), ["MaxPool"]);
    assert_eq!((list(subsample, "kernel_shape"), list(subsample, "strides")), (vec![1, 1], vec![2, 2]));
    // 16 channels become 32: 8 of zeros on both sides, in the order of ONNX, all beginnings first.
    assert_eq!(constant("layer2.0.downsample.pads"), [0, 8, 0, 0, 0, 8, 0, 0]);

    let mut behind = ResNetSpec::named("resnet20").unwrap();
    behind.shortcut = Shortcut::ZeroPadBehind;
    behind.stages[1] = Stage { stride: 1, ..behind.stages[1] };
    let graph = graph_of(&behind, (32, 32));
    assert!(messages(&graph, 1).iter().all(|n| texts(n, 3) != ["layer2.0.downsample.subsample"]), "stride 1");
    let pads = messages(&graph, 5).into_iter().find(|t| texts(t, 8) == ["layer2.0.downsample.pads"]).unwrap();
    assert_eq!(messages(pads, 9)[0].chunks_exact(8).map(|n| n[0]).collect::<Vec<u8>>(), [0, 0, 0, 0, 0, 16, 0, 0]);
}

#[test]
fn zeros_of_keras_pool_take_part_in_the_maximum() {
    let keras = graph_of(&ResNetSpec::named("resnet50v2-keras").unwrap(), (64, 64));
    assert_eq!(list(node(&keras, "maxpool.valid"), "pads"), [1, 1, 1, 1]);
    assert_eq!((texts(node(&keras, "maxpool"), 4), texts(node(&keras, "maxpool"), 1)[1]), (vec!["Max"], "maxpool.border"));
    let border = messages(&keras, 5).into_iter().find(|t| texts(t, 8) == ["maxpool.border"]).unwrap();
    assert_eq!(ints(border, 1), [1, 1, 16, 16]);
    // 32 pixels, windows of 3 from -1 on: the first row and column alone reach over the edge.
    let zeros: Vec<bool> = messages(border, 9)[0].chunks_exact(4).map(|v| v == 0.0_f32.to_le_bytes()).collect();
    assert!((0..256).all(|i| zeros[i] == (i < 16 || i % 16 == 0)), "{zeros:?}");
    let slim = graph_of(&ResNetSpec::named("resnet50v2-slim").unwrap(), (64, 64));
    assert_eq!(list(node(&slim, "maxpool"), "pads"), [0, 0, 1, 1]);
}

#[test]
fn a_net_without_a_head_gives_features() {
    let spec = ResNetSpec::named("resnet20").unwrap().with_classes(None);
    let graph = graph_of(&spec, (32, 32));
    assert_eq!(texts(messages(&graph, 12)[0], 1), ["features"]);
    assert_eq!(texts(node(&graph, "avgpool"), 2), ["features"]);
}

#[test]
fn what_cannot_be_written_is_said() {
    let spec = ResNetSpec::named("resnet20").unwrap();
    let mut state = weights(&spec);
    let error = write(&spec, &state, (0, 32), &IndexMap::new()).unwrap_err();
    assert!(error.to_string().contains("32x0"), "{error}");
    state.tensors.shift_remove("layer1.0.bn1.running_var");
    let error = write(&spec, &state, (32, 32), &IndexMap::new()).unwrap_err();
    assert!(error.to_string().contains("layer1.0.bn1.running_var"), "{error}");
}
