//! The engine as its doors use it, on the native adapter.

use futures_channel::mpsc::unbounded;
use futures_util::StreamExt;
use pollster::block_on;
use reslab::data::RgbaImage;
use reslab::device::{DeviceOptions, Precision};
use reslab::engine::{
    BenchmarkEvent, BenchmarkOrder, BenchmarkWork, Command, Engine, Event, LoadOptions, Origin, Picture, PrecisionChoice,
    serve_engine,
};
use reslab::gpu::Shader;
use reslab::{Error, engine, weights};

const MODEL: &[u8] = include_bytes!("../../www/models/resnet20-cifar10.safetensors");

/// A picture with some structure: a bright disc on a gradient.
fn picture(size: u32) -> RgbaImage {
    let pixels = (0..size * size)
        .flat_map(|i| {
            let (x, y) = (i % size, i / size);
            let (dx, dy) = (x as f32 / size as f32 - 0.5, y as f32 / size as f32 - 0.5);
            let inside = dx * dx + dy * dy < 0.09;
            [(x * 255 / size) as u8, if inside { 230 } else { 60 }, (y * 255 / size) as u8, 255]
        })
        .collect();
    RgbaImage::new("picture", size, size, pixels).unwrap()
}

async fn engine() -> Engine {
    let mut engine = Engine::open(DeviceOptions::software()).await.expect("these tests need a Vulkan, Metal or DX12 adapter");
    engine.load("bundled", MODEL, &LoadOptions::default(), &mut |_| {}).await.unwrap();
    engine
}

#[test]
fn the_bundled_model_knows_its_classes_and_gives_probabilities() {
    block_on(async {
        let mut engine = engine().await;
        let info = engine.model().unwrap().clone();
        assert_eq!((info.arch.as_str(), info.family.as_str(), info.size), ("resnet20", "cifar-v1", 32));
        assert_eq!(info.labels[3], "cat");
        let result = engine.classify(&picture(200), 10).await.unwrap();
        assert_eq!(result.top.len(), 10);
        let sum: f32 = result.top.iter().map(|p| p.probability).sum();
        assert!((sum - 1.0).abs() < 1e-4, "probabilities sum to {sum}");
        assert!(result.top.is_sorted_by(|a, b| a.probability >= b.probability));
    });
}

#[test]
fn a_class_that_is_renamed_answers_and_leaves_by_its_new_name() {
    block_on(async {
        let mut engine = engine().await;
        let mut names = engine.model().unwrap().labels.clone();
        let best = engine.classify(&picture(32), 1).await.unwrap().top[0].clone();
        let class = names.iter().position(|name| *name == best.label).unwrap();
        names[class] = "ring".into();
        assert_eq!(engine.name_classes(names).unwrap().labels[class], "ring");
        assert_eq!(engine.classify(&picture(32), 1).await.unwrap().top[0].label, "ring");
        let file = engine.export(engine::ExportFormat::Safetensors).unwrap();
        let kept = weights::read("renamed.safetensors", &file.bytes).unwrap().metadata["classes"].clone();
        assert!(kept.contains("\"ring\"") && !kept.contains(&format!("\"{}\"", best.label)), "{kept}");
        assert!(engine.name_classes(vec!["one".into()]).unwrap_err().to_string().contains("10 classes"));
    });
}

#[test]
fn a_batch_gives_the_rows_one_by_one_gives() {
    block_on(async {
        let mut single = engine().await;
        let images = [picture(32), picture(100), picture(64)];
        let mut rows = Vec::new();
        for image in &images {
            rows.extend(single.logits(std::slice::from_ref(image)).await.unwrap());
        }
        let mut batched = Engine::open(DeviceOptions::software()).await.unwrap();
        batched.load("bundled", MODEL, &LoadOptions { batch: 4, ..Default::default() }, &mut |_| {}).await.unwrap();
        let batch = batched.logits(&images).await.unwrap();
        assert_eq!(batch.len(), 30);
        for (a, b) in rows.iter().zip(&batch) {
            assert!((a - b).abs() < 1e-3, "{a} alone, {b} in a batch");
        }
        let five = vec![picture(8); 5];
        assert!(matches!(batched.logits(&five).await, Err(Error::Usage(_))));
    });
}

#[test]
fn f16_is_used_when_asked_for_and_close_to_f32() {
    block_on(async {
        let mut engine = engine().await;
        assert!(engine.device().f16, "this test needs an adapter with shader-f16, as llvmpipe has it");
        let wide = engine.logits(&[picture(64)]).await.unwrap();
        let info = engine.set_precision(PrecisionChoice::F16, &mut |_| {}).await.unwrap().unwrap();
        assert_eq!(info.precision, Precision::F16);
        let half = engine.logits(&[picture(64)]).await.unwrap();
        let largest = wide.iter().fold(0.0_f32, |m, v| m.max(v.abs()));
        for (a, b) in wide.iter().zip(&half) {
            assert!((a - b).abs() <= 2e-2 * largest, "{a} in f32, {b} in f16");
        }
    });
}

#[test]
fn a_gpu_fault_is_reported_once_and_the_model_goes_on() {
    block_on(async {
        let mut engine = engine().await;
        let before = engine.logits(&[picture(64)]).await.unwrap();
        engine.context().gpu().unwrap().kernel(Shader::new("broken", "no WGSL"), Precision::F32, &[]);
        assert!(matches!(engine.logits(&[picture(64)]).await, Err(Error::Gpu { .. })));
        assert_eq!(engine.logits(&[picture(64)]).await.unwrap(), before);
    });
}

#[test]
fn a_kernel_that_failed_to_compile_is_not_kept() {
    block_on(async {
        let engine = engine().await;
        let ctx = engine.context().gpu().unwrap();
        for time in ["first", "second"] {
            ctx.kernel(Shader::new("broken", "no WGSL"), Precision::F32, &[]);
            assert!(matches!(ctx.check(), Err(Error::Gpu { .. })), "the {time} time");
        }
        ctx.kernel(Shader::new("broken", "@compute @workgroup_size(1) fn main() {}"), Precision::F32, &[]);
        ctx.check().unwrap();
    });
}

#[test]
fn a_lost_device_is_reported_and_can_be_replaced() {
    block_on(async {
        let mut engine = engine().await;
        let before = engine.logits(&[picture(64)]).await.unwrap();
        engine.context().destroy();
        assert!(matches!(engine.logits(&[picture(64)]).await, Err(Error::DeviceLost(_))));
        engine.reopen(DeviceOptions::software()).await.unwrap();
        engine.replan(&mut |_| {}).await.unwrap();
        assert_eq!(engine.logits(&[picture(64)]).await.unwrap(), before);
    });
}

/// Sends `commands`, closes the channel and collects every event.
fn conversation(engine: Engine, commands: Vec<Command>) -> Vec<Event> {
    let (sender, receiver) = unbounded();
    let (events, collected) = unbounded();
    for command in commands {
        sender.unbounded_send(command).unwrap();
    }
    drop(sender);
    block_on(serve_engine(engine, DeviceOptions::software(), receiver, events));
    block_on(collected.collect())
}

#[test]
fn the_service_survives_a_lost_device_and_answers_all_the_same() {
    let engine = block_on(engine());
    engine.context().destroy();
    let image = Picture::Decoded(picture(50));
    let events = conversation(engine, vec![Command::Classify { id: 7, name: "p".into(), image }]);
    let kinds: Vec<&str> = events
        .iter()
        .map(|event| match event {
            Event::Device(_) => "device",
            Event::Ready(_) => "ready",
            Event::Classified { id: 7, .. } => "classified",
            other => panic!("unexpected {other:?}"),
        })
        .collect();
    assert_eq!(kinds, ["device", "device", "ready", "classified"]);
}

#[test]
fn a_bad_picture_or_model_leaves_the_service_as_it_was() {
    let engine = block_on(engine());
    let load = |bytes: &[u8]| Command::Load {
        name: "broken.safetensors".into(),
        bytes: bytes.into(),
        origin: Origin::OwnFile,
        preset: None,
        choices: Default::default(),
        beside: Vec::new(),
    };
    let classify = |id, image| Command::Classify { id, name: "a.png".into(), image };
    let events = conversation(
        engine,
        vec![
            classify(1, Picture::File(b"not a picture".to_vec())),
            load(&MODEL[..1000]),
            classify(2, Picture::Decoded(picture(40))),
        ],
    );
    let failures: Vec<Option<u64>> =
        events.iter().filter_map(|e| if let Event::Failed { id, .. } = e { Some(*id) } else { None }).collect();
    assert_eq!(failures, [Some(1), None]);
    assert!(events.iter().any(|event| matches!(event, Event::Classified { id: 2, .. })));
}

#[test]
fn without_a_model_the_error_says_what_to_do() {
    let engine = block_on(Engine::open(DeviceOptions::software())).unwrap();
    let image = Picture::Decoded(picture(10));
    let events = conversation(engine, vec![Command::Classify { id: 1, name: "p".into(), image }]);
    let Some(Event::Failed { error, .. }) = events.last() else { panic!("{events:?}") };
    assert!(error.to_string().contains("choose one"), "{error}");
}

#[test]
fn a_model_keeps_to_default_limits() {
    block_on(async {
        let options = DeviceOptions { default_limits: true, ..DeviceOptions::software() };
        let mut engine = engine::Engine::open(options).await.unwrap();
        engine.load("bundled", MODEL, &LoadOptions::default(), &mut |_| {}).await.unwrap();
        assert!(engine.logits(&[picture(32)]).await.is_ok());
        // 20000 pictures of 32x32x16 activations are over WebGPU's default binding of 128 MiB.
        let options = LoadOptions { batch: 20_000, ..Default::default() };
        let error = engine.load("bundled", MODEL, &options, &mut |_| {}).await.unwrap_err();
        assert!(matches!(&error, Error::Limit { limit: 134_217_728, .. }), "{error}");
    });
}

#[test]
fn a_network_is_measured_between_other_work_and_the_model_stays() {
    let order = |number, batch, work| {
        let (arch, precision) = ("resnet20".into(), Precision::F32);
        Command::Benchmark(Box::new(BenchmarkOrder { number, arch, batch, size: 32, work, precision, warm_up: 1, runs: 2 }))
    };
    let classify = Command::Classify { id: 9, name: "a".into(), image: Picture::Decoded(picture(32)) };
    let commands = vec![
        order(1, 1, BenchmarkWork::Forward),
        classify,
        order(2, 1, BenchmarkWork::Training),
        order(3, 10_000_000, BenchmarkWork::Forward),
    ];
    let events = conversation(block_on(engine()), commands);
    let at = |wanted: &dyn Fn(&Event) -> bool| events.iter().position(wanted);
    let finished = |number: u64| {
        let report = events.iter().find_map(|event| match event {
            Event::Benchmark(BenchmarkEvent::Finished { number: n, report }) if *n == number => Some(report),
            _ => None,
        });
        report.expect("it is finished")
    };
    let (forward, training) = (finished(1), finished(2));
    assert_eq!((forward.times.all.len(), forward.parameters), (2, 269_722));
    // 40.6 million multiply-adds, and about three times as many with the way back.
    assert!((forward.operations / 2.0 - 40.6e6).abs() < 1e6, "{}", forward.operations);
    assert!((2.8..3.2).contains(&(training.operations / forward.operations)));
    assert!(training.memory.gradient_bytes > 1_000_000 && forward.memory.gradient_bytes == 0);
    let refused =
        |event: &Event| matches!(event, Event::Benchmark(BenchmarkEvent::Failed { number: 3, error: Error::Limit { .. } }));
    assert!(at(&refused).is_some());
    // The picture came after the order and is answered before its end, by the model that was there.
    let classified = at(&|event| matches!(event, Event::Classified { id: 9, .. })).expect("the picture is answered");
    let end =
        at(&|event| matches!(event, Event::Benchmark(BenchmarkEvent::Finished { number: 1, .. }))).expect("checked above");
    assert!(classified < end);
    assert!(!events.iter().any(|event| matches!(event, Event::Ready(_))));
}
