//! The studio's way through the engine: a run that is kept after every epoch and goes on after the page was closed, pictures
//! judged by their numbers, what a run would take, and what augmentation shows.

use futures_channel::mpsc::unbounded;
use futures_util::StreamExt;
use pollster::block_on;
use reslab::data::random::{Stream, below, generator};
use reslab::data::{ImageSet, ImageSize, Preset, RgbaImage};
use reslab::device::{Device, DeviceOptions};
use reslab::engine::{
    Activation, Backbone, Beginning, Command, Engine, EstimateOrder, Event, Examples, JudgeOrder, JudgingEvent, LoadOptions,
    Origin, Plan, PreviewOrder, ResumeOrder, TrainingEvent, TrainingOrder, Verdict, scratch_preset, serve_engine,
};
use reslab::ops::Augmentation;
use reslab::train::recipe::TrainDepth;
use reslab::train::{Checkpoint, Recipe, Schedule, preview};

const MODEL: &[u8] = include_bytes!("../../www/models/resnet20-cifar10.safetensors");

/// Noise, brighter on one side: which one makes the class.
fn picture(seed: u64, class: u32) -> RgbaImage {
    let mut rng = generator(seed, Stream::Init(7));
    let mut pixels = Vec::new();
    for y in 0..32 {
        for _ in 0..32 {
            let bright = if (y < 16) == (class == 0) { 100 } else { 0 };
            let grey = (below(&mut rng, 120) + bright) as u8;
            pixels.extend([grey, grey, grey, 255]);
        }
    }
    RgbaImage::new("noise", 32, 32, pixels).unwrap()
}

fn examples(ids: std::ops::Range<u64>) -> Examples {
    let mut examples = Examples::new(["up", "down"].map(String::from).to_vec(), &Preset::named("cifar").unwrap());
    for id in ids {
        let class = (id % 2) as u32;
        examples.push(id, id.to_string(), &picture(id, class), class).unwrap();
    }
    examples
}

fn engine() -> Engine {
    block_on(async {
        let mut engine = Engine::open(DeviceOptions::software()).await.expect("a Vulkan, Metal or DX12 adapter");
        let options = LoadOptions { origin: Origin::Bundled, ..Default::default() };
        engine.load("bundled", MODEL, &options, &mut |_| {}).await.unwrap();
        engine
    })
}

fn recipe(epochs: u32) -> Recipe {
    Recipe {
        epochs,
        batch: 8,
        learning_rate: 0.05,
        schedule: Schedule::Constant,
        depth: TrainDepth::Head,
        augmentation: Augmentation::default(),
        ..Recipe::default()
    }
}

fn order(epochs: u32) -> Command {
    Command::StartTraining(Box::new(TrainingOrder {
        name: "sides".into(),
        backbone: Backbone::Pretrained,
        recipe: recipe(epochs),
        examples: examples(0..40),
        sides: None,
    }))
}

/// Sends `commands`, the later ones once `ready` has seen its event; ends when training rests and nothing is left.
fn conversation(commands: Vec<Command>, last: Vec<Command>) -> Vec<Event> {
    let (sender, receiver) = unbounded();
    let (events, mut collected) = unbounded();
    commands.into_iter().for_each(|command| sender.unbounded_send(command).unwrap());
    let serving = serve_engine(engine(), DeviceOptions::software(), receiver, events);
    let listening = async move {
        let (mut all, mut sender, mut last) = (Vec::new(), Some(sender), Some(last));
        while let Some(event) = collected.next().await {
            let rests = matches!(event, Event::Training(TrainingEvent::Rests { .. } | TrainingEvent::Failed(_)));
            all.push(event);
            if rests && let (Some(sender), Some(last)) = (sender.take(), last.take()) {
                last.into_iter().for_each(|command| sender.unbounded_send(command).unwrap());
            }
        }
        all
    };
    block_on(futures_util::future::join(serving, listening)).1
}

fn plans(events: &[Event]) -> Vec<&Plan> {
    let plan = |event| if let &Event::Training(TrainingEvent::Planned(ref plan)) = event { Some(&**plan) } else { None };
    events.iter().filter_map(plan).collect()
}

/// The checkpoint files in order.
fn checkpoints(events: &[Event]) -> Vec<(u32, Vec<u8>)> {
    let (mut files, mut file) = (Vec::new(), Vec::new());
    for event in events {
        match event {
            Event::Training(TrainingEvent::CheckpointPiece(piece)) => file.extend(piece),
            Event::Training(TrainingEvent::Checkpoint { epochs }) => files.push((*epochs, std::mem::take(&mut file))),
            _ => {}
        }
    }
    assert!(file.is_empty(), "a file without its end");
    files
}

#[test]
fn a_run_is_kept_every_epoch_judged_and_gone_on_with() {
    let judge = JudgeOrder { number: 5, examples: examples(0..46), activation: Activation::Softmax };
    let events = conversation(vec![order(3)], vec![Command::Judge(Box::new(judge))]);
    let plan = plans(&events)[0];
    assert_eq!((plan.beginning, plan.history.len()), (Beginning::New, 0));
    assert_eq!((plan.sides.train.len(), plan.sides.validation.len()), (32, 8));
    let files = checkpoints(&events);
    assert_eq!(files.iter().map(|(epochs, _)| *epochs).collect::<Vec<_>>(), [1, 2, 3]);

    // Pictures come back by their numbers, each with its probabilities.
    let mut verdicts: Vec<Verdict> = Vec::new();
    let mut ends = 0;
    for event in &events {
        if let Event::Judging(JudgingEvent::Judged { number: 5, verdicts: some, last }) = event {
            verdicts.extend(some.clone());
            ends += usize::from(*last);
        }
    }
    assert_eq!(ends, 1);
    assert_eq!(verdicts.iter().map(|v| v.picture).collect::<Vec<_>>(), (0..46).collect::<Vec<_>>());
    for verdict in &verdicts {
        assert_eq!(u64::from(verdict.class), verdict.picture % 2);
        assert!((verdict.probabilities.iter().sum::<f32>() - 1.0).abs() < 1e-5);
    }
    let right = verdicts.iter().filter(|v| v.probabilities[v.class as usize] > 0.5).count();
    assert!(right > 40, "{right} of 46 after three epochs");

    // What validation said of the last epoch is what judging says of the same pictures, if it was the best.
    let run = Checkpoint::from_bytes("run", &files[2].1).unwrap();
    if run.progress.best_epoch == Some(3) {
        let known = run.history[2].validation.unwrap().top1;
        let own = verdicts.iter().filter(|v| plan.sides.validation.contains(&v.picture));
        let share = own.filter(|v| v.probabilities[v.class as usize] > 0.5).count() as f64 / 8.0;
        assert_eq!(share, known);
    }

    // The page was closed after the first epoch.
    let resume = ResumeOrder {
        name: "sides".into(),
        checkpoint: files[0].1.clone(),
        examples: examples(0..40),
        sides: plan.sides.clone(),
        recipe: None,
    };
    let resumed = conversation(vec![Command::ResumeTraining(Box::new(resume))], Vec::new());
    assert_eq!((plans(&resumed)[0].beginning, plans(&resumed)[0].history.len()), (Beginning::Resumed, 1));
    let last = checkpoints(&resumed).pop().unwrap();
    assert_eq!(last.0, 3);
    let again = Checkpoint::from_bytes("again", &last.1).unwrap();
    assert!(again.latest() == run.latest(), "a resumed run ends as the one that was not stopped");

    // With more pictures a new run begins from its weights, and what judged before judges still.
    let more = ResumeOrder {
        name: "sides".into(),
        checkpoint: last.1,
        examples: examples(0..60),
        sides: plan.sides.clone(),
        recipe: None,
    };
    let grown = conversation(vec![Command::ResumeTraining(Box::new(more))], Vec::new());
    let grown = plans(&grown)[0];
    assert_eq!((grown.beginning, grown.history.len()), (Beginning::OtherPictures, 0));
    assert!(plan.sides.validation.iter().all(|id| grown.sides.validation.contains(id)));
    assert!(plan.sides.train.iter().all(|id| grown.sides.train.contains(id)));
}

#[test]
fn an_estimate_is_made_for_any_beginning() {
    let estimate = |number, backbone, depth| {
        let recipe = Recipe { depth, ..recipe(10) };
        Command::EstimateTraining(Box::new(EstimateOrder { number, backbone, recipe, classes: 3, pictures: 100 }))
    };
    let scratch = |arch: &str| Backbone::Scratch { arch: arch.into(), side: 64 };
    let (sender, receiver) = unbounded();
    let (events, collected) = unbounded();
    for command in [
        estimate(1, Backbone::Pretrained, TrainDepth::Head),
        estimate(2, Backbone::Pretrained, TrainDepth::All),
        estimate(3, scratch("resnet18"), TrainDepth::All),
        estimate(4, scratch("resnet1"), TrainDepth::All),
    ] {
        sender.unbounded_send(command).unwrap();
    }
    drop(sender);
    block_on(serve_engine(engine(), DeviceOptions::software(), receiver, events));
    let mut found = Vec::new();
    for event in block_on(collected.collect::<Vec<_>>()) {
        if let Event::Training(TrainingEvent::Estimated { number, estimate }) = event {
            found.push((number, estimate));
        }
    }
    let of = |i: usize| found[i].1.clone().unwrap();
    assert_eq!(found.iter().map(|(number, _)| *number).collect::<Vec<_>>(), [1, 2, 3, 4]);
    assert!(of(0).seconds < of(1).seconds && of(1).seconds < of(2).seconds, "{found:?}");
    assert_eq!(of(0).trained_parameters, 64 * 3 + 3);
    assert!(of(1).memory_bytes > of(0).memory_bytes && of(2).memory_bytes > 100_000_000);
    assert!(found[3].1.as_ref().unwrap_err().to_string().contains("6n+2"));
}

#[test]
fn the_memory_of_an_estimate_is_about_the_plans() {
    let events = conversation(
        vec![
            Command::StartTraining(Box::new(TrainingOrder {
                name: "all".into(),
                backbone: Backbone::Pretrained,
                recipe: Recipe { depth: TrainDepth::All, ..recipe(1) },
                examples: examples(0..40),
                sides: None,
            })),
            Command::EstimateTraining(Box::new(EstimateOrder {
                number: 1,
                backbone: Backbone::Pretrained,
                recipe: Recipe { depth: TrainDepth::All, ..recipe(1) },
                classes: 2,
                pictures: 40,
            })),
        ],
        Vec::new(),
    );
    let outline = plans(&events)[0].outline;
    let planned = outline.memory.total() + outline.feed_bytes;
    let estimate = events.iter().find_map(|event| match event {
        Event::Training(TrainingEvent::Estimated { estimate: Ok(estimate), .. }) => Some(*estimate),
        _ => None,
    });
    let ratio = estimate.unwrap().memory_bytes as f64 / planned as f64;
    assert!((0.5..2.0).contains(&ratio), "estimated {ratio} of what was planned, {planned} bytes");
}

#[test]
fn a_preview_shows_the_picture_and_its_variations() {
    let preset = scratch_preset("resnet20", 32).unwrap();
    let mut set = ImageSet::new(vec!["a".into()], ImageSize::of(&preset, true));
    let original = picture(3, 0);
    set.push("p".into(), &original, &preset, 0).unwrap();
    let ctx = block_on(Device::new(DeviceOptions::software())).unwrap();
    let show = |augmentation: Augmentation, seed| block_on(preview(&ctx, &set, &preset, &augmentation, 4, seed)).unwrap();
    let plain = show(Augmentation::default(), 1);
    assert_eq!(plain.len(), 4);
    for shown in &plain {
        assert_eq!((shown.width, shown.height), (32, 32));
        let differ = shown.pixels.iter().zip(&original.pixels).filter(|(a, b)| a.abs_diff(**b) > 1).count();
        assert_eq!(differ, 0, "without augmentation the network sees the picture itself");
    }
    let varied = Augmentation { shift_px: 4, brightness: 0.4, ..Augmentation::default() };
    assert_ne!(show(varied, 1)[0], show(varied, 1)[1]);
    assert_eq!(show(varied, 1), show(varied, 1), "a seed repeats its pictures");
    assert_ne!(show(varied, 1), show(varied, 2));
    let wrong = Augmentation { hue: 3.0, ..Augmentation::default() };
    assert!(block_on(preview(&ctx, &set, &preset, &wrong, 4, 1)).unwrap_err().to_string().contains("hue"));

    // The same through the engine, with a number.
    let mut examples = Examples::new(vec!["a".into()], &preset);
    examples.push(1, "p".into(), &original, 0).unwrap();
    let order = PreviewOrder { number: 9, recipe: Recipe::default(), examples, count: 2 };
    let (sender, receiver) = unbounded();
    let (events, collected) = unbounded();
    sender.unbounded_send(Command::PreviewAugmentation(Box::new(order))).unwrap();
    drop(sender);
    block_on(serve_engine(engine(), DeviceOptions::software(), receiver, events));
    let shown = block_on(collected.collect::<Vec<_>>()).into_iter().find_map(|event| match event {
        Event::Training(TrainingEvent::Previewed { number: 9, pictures }) => pictures.ok(),
        _ => None,
    });
    assert_eq!(shown.unwrap().len(), 2);
}
