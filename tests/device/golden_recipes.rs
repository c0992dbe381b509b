//! The recipes of others (`src/train/recipes`) against their frameworks: losses and rates of ten steps
//! (`tests/golden/recipe_values.py`).

use std::path::Path;

use crate::{generator, golden_train};
use reslab::device::{Device, DeviceKind, DeviceOptions, Precision, Shape, Tensor};
use reslab::model::graph::Param;
use reslab::model::training::{Grouping, Parameters, TrainingOptions, TrainingPlan};
use reslab::model::{ResNetSpec, Turns};
use reslab::ops::Target;
use reslab::train::{Plateau, Position, Recipe};
use safetensors::SafeTensors;
use serde_json::Value;

fn ten_steps(name: &str, options: DeviceOptions) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/values/recipes");
    let bytes = std::fs::read(folder.join(format!("{name}.safetensors"))).unwrap();
    let (_, header) = SafeTensors::read_metadata(&bytes).unwrap();
    let metadata = header.metadata().as_ref().unwrap();
    let json = |key: &str| -> Value { serde_json::from_str(&metadata[key]).unwrap() };
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let losses: Vec<f32> = file.tensor("losses").unwrap().data().as_chunks().0.iter().map(|b| f32::from_le_bytes(*b)).collect();
    let rates: Vec<f64> = file.tensor("rates").unwrap().data().as_chunks().0.iter().map(|b| f64::from_le_bytes(*b)).collect();
    let classes = json("classes").as_u64().unwrap() as usize;
    let spec: ResNetSpec = match metadata.get("spec") {
        Some(spec) => serde_json::from_str(spec).unwrap(),
        None => ResNetSpec::named(&metadata["arch"]).unwrap(),
    };
    let spec = spec.with_classes(Some(classes));
    let [n, c, h, w]: [usize; 4] = serde_json::from_value(json("input")).unwrap();
    let (first_epoch, scale) = (json("first_epoch").as_u64().unwrap(), json("rate_scale").as_f64().unwrap());

    let recipe = Recipe::named(name).unwrap();
    recipe.validate_for(&spec).unwrap();
    let ctx = pollster::block_on(Device::new(options)).unwrap();
    let graph = spec.build().unwrap();
    let shape = Shape::new(n, c, h, w);
    let group = |param: &Param| (recipe.rate_multiplier(&param.name), recipe.decay(param));
    let grouping = Grouping { state_buffers: recipe.optimizer.state_buffers(), group: &group };
    let parameters = Parameters::new(&ctx, &graph, shape, &grouping).unwrap();
    let mut turns = Turns::none();
    pollster::block_on(parameters.load(&ctx, &golden_train::conditioned(&spec), &mut turns)).unwrap();
    let input = Tensor::zeros(&ctx, "input", shape, Precision::F32).unwrap();
    let options = TrainingOptions {
        loss: recipe.loss,
        shares: false,
        class_weights: Vec::new(),
        statistics: recipe.statistics(&spec),
        micro_batches: 1,
        optimizer: recipe.optimizer,
        decoupled: recipe.decays_decoupled(),
    };
    let plan = pollster::block_on(TrainingPlan::new(&ctx, &graph, &parameters, &input, &options, &mut turns)).unwrap();
    for step in 0..losses.len() as u64 {
        input.write_nchw(&ctx, &generator::tensor(&format!("{step}.input"), &[n, c, h, w]));
        let label = |image: usize| Target::class(((7 * image + 3 * step as usize) % classes) as u32);
        plan.set_targets(&ctx, &(0..n).map(label).collect::<Vec<_>>());
        plan.reset_totals(&ctx);
        plan.accumulate(&ctx).unwrap();
        let totals = pollster::block_on(plan.totals(&ctx)).unwrap();
        let at = Position { step: first_epoch + step, steps_per_epoch: 1, epochs: recipe.epochs };
        let rate = f64::from(recipe.learning_rate) * recipe.schedule.factor(at, &Plateau::default()) * scale;
        let expected = rates[step as usize];
        assert!((rate - expected).abs() <= 1e-6 * expected, "{name}, step {step}: rate {rate}, theirs {expected}");
        plan.update(&ctx, rate as f32, step as u32 + 1, recipe.clip_norm).unwrap();
        let (loss, expected) = (totals.loss / totals.weight, f64::from(losses[step as usize]));
        assert!((loss - expected).abs() <= 1e-3 * expected, "{name}, step {step}: loss {loss}, theirs {expected}");
    }
}

#[test]
fn recipes_of_others_take_their_steps() {
    let mut names: Vec<&str> = Recipe::names().collect();
    names.sort_unstable();
    assert_eq!(names, ["keras-cifar", "labml", "slim", "tf51", "torchvision"]);
    for name in names {
        ten_steps(name, DeviceOptions::of(DeviceKind::Cpu));
    }
    // On WGSL those with an optimizer, a loss or a layer of their own.
    for name in ["keras-cifar", "tf51"] {
        ten_steps(name, DeviceOptions::software());
    }
}
