//! Another recipe for a run that goes on: what can change, what that does to the optimizer and the schedule, and why the rest cannot.

use super::checkpoint::{Change, Changed, Checkpoint, Tensors, slots, steps_per_epoch};
use super::{Plateau, Recipe};
use crate::ops::{LossKind, Optimizer};
use crate::weights::HostTensor;
use crate::{Error, Result};

/// The fields of a recipe, by way of text, where 0.01 of 32 bits is 0.01. (From a value to a value all readers and writers would be
/// compiled again.)
fn fields(recipe: &Recipe) -> serde_json::Map<String, serde_json::Value> {
    // A recipe is a struct of plain data.
    serde_json::to_string(recipe).and_then(|text| serde_json::from_str(&text)).unwrap_or_default()
}

/// What is different between two recipes.
fn differences(from: &Recipe, to: &Recipe) -> Vec<Changed> {
    let (from, mut to) = (fields(from), fields(to));
    let changed = |(field, from): (String, serde_json::Value)| {
        let to = to.remove(&field).unwrap_or_default();
        (from != to).then_some(Changed { field, from, to })
    };
    from.into_iter().filter_map(changed).collect()
}

/// Why this recipe cannot go on with a run that began with that one.
fn refusal(from: &Recipe, to: &Recipe, epochs: u32) -> Option<String> {
    let kind = |recipe: &Recipe| std::mem::discriminant::<LossKind>(&recipe.loss);
    let reason = if to.epochs < epochs {
        return Some(format!("the run has {epochs} epochs already, and --epochs counts them too: ask for {epochs} or more"));
    } else if kind(from) != kind(to) {
        "the loss cannot change on the way: the best weights so far answer with the other one's probabilities"
    } else if from.val_fraction != to.val_fraction {
        "the share that validates cannot change on the way: what was learnt from would judge"
    } else if from.seed != to.seed {
        "the seed cannot change on the way: the split and the order of the pictures follow from it"
    } else if (from.draws(), from.zero_init_last_norm) != (to.draws(), to.zero_init_last_norm) {
        "how weights are drawn cannot change on the way: they were drawn already"
    } else {
        return None;
    };
    Some(format!("{reason}. Start a new run from this one's weights for that"))
}

impl Recipe {
    /// This recipe with what is different between two others.
    pub fn with_changes(&self, before: &Self, now: &Self) -> Self {
        let mut fields = fields(self);
        fields.extend(differences(before, now).into_iter().map(|changed| (changed.field, changed.to)));
        // Fields of recipes make a recipe.
        serde_json::to_string(&fields).and_then(|text| serde_json::from_str(&text)).unwrap_or_else(|_| self.clone())
    }

    /// Whether a run with this recipe can only go on with `other` after everything on the device was made anew.
    pub(super) fn needs_other_plans(&self, other: &Self) -> bool {
        // What is read from the recipe again in every step.
        let steps = Self {
            epochs: other.epochs,
            learning_rate: other.learning_rate,
            schedule: other.schedule.clone(),
            clip_norm: other.clip_norm,
            early_stopping: other.early_stopping,
            ema: other.ema,
            ..self.clone()
        };
        steps != *other
    }
}

impl Checkpoint {
    /// Goes on with another recipe; says what is different. The change is kept in [`changes`](Self::changes).
    ///
    /// A new rate counts as it is given: what a plateau or a loss that was no number took from the old one is forgotten. With another
    /// optimizer its state begins anew, with other layers that learn that of the new ones (Adam's altogether). Early stopping waits from
    /// here on.
    ///
    /// # Errors
    /// [`Error::Usage`] for what cannot change, with the reason, or for a recipe that does not fit the network.
    pub fn change(&mut self, mut recipe: Recipe) -> Result<Vec<Changed>> {
        let progress = &mut self.progress;
        let batch_changed = recipe.batch != self.recipe.batch;
        if batch_changed
            && recipe.accumulation == self.recipe.accumulation
            && !recipe.batch.is_multiple_of(recipe.accumulation.max(1))
        {
            recipe.accumulation = 1;
        }
        let changed = differences(&self.recipe, &recipe);
        if changed.is_empty() {
            return Ok(changed);
        }
        if let Some(reason) = refusal(&self.recipe, &recipe, progress.epoch) {
            return Err(Error::Usage(reason));
        }
        recipe.validate_for(&self.spec)?;
        let (epoch, step) = (progress.epoch, progress.step);
        if recipe.learning_rate != self.recipe.learning_rate {
            progress.rate_factor = 1.0;
        }
        if recipe.learning_rate != self.recipe.learning_rate || recipe.schedule != self.recipe.schedule {
            progress.plateau = Plateau::default();
        }
        if batch_changed {
            let steps = steps_per_epoch(progress.train_images, recipe.batch);
            let of_epoch = (progress.partial_images / u64::from(recipe.batch)).min(steps - 1);
            progress.step = u64::from(epoch) * steps + of_epoch;
        }
        progress.waiting_since = epoch;
        let before = std::mem::replace(&mut self.recipe, recipe);
        self.fit_optimizer(&before)?;
        self.changes.push(Change { epoch, step, changed: changed.clone() });
        Ok(changed)
    }

    /// The optimizer's state for what learns now.
    fn fit_optimizer(&mut self, before: &Recipe) -> Result<()> {
        if self.optimizer.is_empty() {
            return Ok(());
        }
        let adaptive = |recipe: &Recipe| !matches!(recipe.optimizer, Optimizer::Sgd { .. });
        let same = slots(&before.optimizer) == slots(&self.recipe.optimizer);
        let params = self.spec.build()?.params();
        let learning: Vec<_> = params.iter().filter(|param| param.trainable && self.recipe.trains(&param.name)).collect();
        let more = learning.iter().any(|param| !before.trains(&param.name));
        // Adam corrects its means for their age, and all have the same.
        if !same || more && adaptive(&self.recipe) {
            self.optimizer.clear();
            self.progress.updates = 0;
            return Ok(());
        }
        for state in &mut self.optimizer {
            let fitted: Tensors = learning
                .iter()
                .map(|param| {
                    let zeros = || HostTensor::new(param.shape.clone(), vec![0.0; param.shape.iter().product()]);
                    (param.name.clone(), state.swap_remove(&param.name).unwrap_or_else(zeros))
                })
                .collect();
            *state = fitted;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ResNetSpec;
    use crate::train::recipe::TrainDepth;
    use crate::train::{Init, Progress, Schedule, init};

    fn run(recipe: Recipe) -> Checkpoint {
        let spec = ResNetSpec::named("resnet8").unwrap().with_classes(Some(2));
        let best = init::initialise(&spec.build().unwrap(), Init::default(), false, 1).unwrap().tensors;
        let state = |(name, tensor): (&String, &HostTensor)| {
            let tensor = HostTensor::new(tensor.shape.clone(), vec![0.5; tensor.data.len()]);
            (recipe.trains(name) && !name.contains("running_")).then_some((name.clone(), tensor))
        };
        let optimizer = slots(&recipe.optimizer).iter().map(|_| best.iter().filter_map(state).collect()).collect();
        Checkpoint {
            spec,
            classes: vec!["a".into(), "b".into()],
            pixels: crate::data::Preset::named("cifar").unwrap(),
            progress: Progress {
                epoch: 2,
                step: 2 * 7 + 3,
                partial_images: 30,
                train_images: 63,
                updates: 17,
                rate_factor: 0.5,
                plateau: Plateau { best: Some(1.0), waited: 1, factor: 0.1 },
                ..Progress::default()
            },
            history: Vec::new(),
            changes: Vec::new(),
            average: None,
            best,
            latest: None,
            optimizer,
            pictures: None,
            recipe,
        }
    }

    #[test]
    fn a_new_rate_counts_as_it_is_given() {
        let recipe = Recipe { batch: 10, schedule: Schedule::reduce_on_plateau(), ..Recipe::default() };
        let mut run = run(recipe.clone());
        assert!(run.change(recipe.clone()).unwrap().is_empty() && run.changes.is_empty());
        let changed = run.change(Recipe { learning_rate: 0.5, ..recipe.clone() }).unwrap();
        assert_eq!(changed.len(), 1);
        assert_eq!(changed[0].to_string(), "learning rate from 0.01 to 0.5");
        let progress = &run.progress;
        assert_eq!((progress.rate_factor, progress.plateau, progress.waiting_since), (1.0, Plateau::default(), 2));
        assert_eq!((progress.step, progress.updates), (17, 17));
        assert_eq!((run.changes[0].epoch, run.changes[0].step), (2, 17));
        // The file keeps it.
        let restored = Checkpoint::from_bytes("run", &run.to_bytes().unwrap()).unwrap();
        assert_eq!(restored, run);
    }

    #[test]
    fn what_nobody_changed_stays_as_the_run_has_it() {
        let run = Recipe { batch: 7, seed: 3, ..Recipe::default() };
        let (before, now) = (Recipe::default(), Recipe { learning_rate: 0.3, ..Recipe::default() });
        assert_eq!(run.with_changes(&before, &now), Recipe { learning_rate: 0.3, ..run.clone() });
        assert_eq!(run.with_changes(&now, &now), run);
    }

    #[test]
    fn another_batch_goes_on_after_the_same_pictures() {
        let recipe = Recipe { batch: 10, accumulation: 2, ..Recipe::default() };
        let mut run = run(recipe.clone());
        run.change(Recipe { batch: 25, ..recipe }).unwrap();
        // Two epochs of three steps, and of the thirty pictures of this epoch one batch.
        assert_eq!((run.progress.step, run.recipe.accumulation), (2 * 3 + 1, 1));
    }

    #[test]
    fn the_optimizer_keeps_what_still_learns() {
        let adam = Recipe { batch: 10, optimizer: Optimizer::adam(), depth: TrainDepth::FromStage(3), ..Recipe::default() };
        let mut head = run(adam.clone());
        head.change(Recipe { depth: TrainDepth::Head, ..adam.clone() }).unwrap();
        assert_eq!(head.optimizer[1].keys().collect::<Vec<_>>(), ["fc.weight", "fc.bias"]);
        assert!(head.optimizer[0]["fc.bias"].data == [0.5; 2] && head.progress.updates == 17);
        head.to_bytes().unwrap();
        let mut all = run(adam.clone());
        all.change(Recipe { depth: TrainDepth::All, ..adam.clone() }).unwrap();
        assert!(all.optimizer.is_empty() && all.progress.updates == 0);
        let mut weighted = run(adam.clone());
        weighted.change(Recipe { optimizer: Optimizer::adamw(), ..adam }).unwrap();
        assert_eq!((weighted.optimizer.len(), weighted.progress.updates), (2, 17));

        let sgd = Recipe { batch: 10, depth: TrainDepth::Head, ..Recipe::default() };
        let mut more = run(sgd.clone());
        more.change(Recipe { depth: TrainDepth::All, ..sgd.clone() }).unwrap();
        assert!(
            more.optimizer[0]["conv1.weight"].data.iter().all(|v| *v == 0.0) && more.optimizer[0]["fc.bias"].data == [0.5; 2]
        );
        more.to_bytes().unwrap();
    }

    #[test]
    fn layers_that_stopped_learning_keep_their_latest_weights() {
        let recipe = Recipe { batch: 10, ..Recipe::default() };
        let mut run = run(recipe.clone());
        let mut latest = run.best.clone();
        latest.values_mut().for_each(|tensor| tensor.data.iter_mut().for_each(|v| *v += 1.0));
        run.latest = Some(latest);
        run.change(Recipe { depth: TrainDepth::Head, ..recipe }).unwrap();
        assert_eq!(Checkpoint::from_bytes("run", &run.to_bytes().unwrap()).unwrap(), run);
    }

    #[test]
    fn what_cannot_change_is_refused_with_the_reason() {
        let wrong = |change: &dyn Fn(&mut Recipe)| {
            let mut run = run(Recipe { batch: 10, ..Recipe::default() });
            let (mut recipe, before) = (run.recipe.clone(), run.clone());
            change(&mut recipe);
            let error = run.change(recipe).unwrap_err().to_string();
            assert_eq!(run, before, "a refused change changes nothing");
            error
        };
        assert!(wrong(&|r| r.epochs = 1).contains("has 2 epochs already"));
        assert!(wrong(&|r| r.seed = 2).contains("split and the order"));
        assert!(wrong(&|r| r.val_fraction = 0.5).contains("would judge"));
        assert!(wrong(&|r| r.init = Init::KerasHeNormal).contains("drawn already"));
        assert!(wrong(&|r| r.loss = LossKind::SigmoidCrossEntropy { label_smoothing: 0.0 }).contains("probabilities"));
        assert!(wrong(&|r| r.learning_rate = -1.0).contains("learning rate of -1"));
        assert!(wrong(&|r| r.depth = TrainDepth::FromStage(7)).contains("3 stages"));
    }
}
