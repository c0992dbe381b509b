//! How a project is trained before anyone changes a setting.

use super::project::Settings;
use crate::train::recipe::TrainDepth;
use crate::train::{Recipe, Schedule};

/// Longest warm-up in epochs; a short run has a shorter one.
const WARMUP: f64 = 1.0;
/// Share of a run that its warm-up takes at most.
const WARMUP_SHARE: f64 = 0.2;

/// The recipe for so many pictures, of which the network sees `side` pixels.
///
/// Pictures are not mirrored: what tells left from right would be taught wrong names, and nobody would see why.
pub fn usual(settings: &Settings, pictures: usize, side: u32) -> Recipe {
    // Few pictures must still be several steps an epoch.
    let batch = match pictures {
        0..80 => 8,
        80..320 => 16,
        _ => 32,
    };
    let mut recipe = Recipe { epochs: epochs(settings), batch, depth: settings.depth, ..Recipe::default() };
    recipe.schedule = Schedule::cosine(WARMUP);
    recipe.augmentation = Default::default();
    match settings.depth {
        // What the frozen layers say of a picture is then computed once.
        TrainDepth::Head => recipe.learning_rate = 0.05,
        TrainDepth::FromStage(_) | TrainDepth::All => {
            recipe.learning_rate = 0.01;
            recipe.augmentation.shift_px = side / 8;
        }
    }
    fitted(recipe)
}

/// Passes over the pictures: as chosen, else as many as suit the depth.
pub fn epochs(settings: &Settings) -> u32 {
    settings.epochs.unwrap_or(match settings.depth {
        // Of the last layer alone a pass takes next to no time.
        TrainDepth::Head => 40,
        TrainDepth::FromStage(_) | TrainDepth::All => 20,
    })
}

/// The recipe with a warm-up that fits into its epochs.
pub fn fitted(mut recipe: Recipe) -> Recipe {
    if let Schedule::Cosine { warmup_epochs, .. } = &mut recipe.schedule {
        *warmup_epochs = warmup_epochs.min(WARMUP_SHARE * f64::from(recipe.epochs));
    }
    recipe
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(depth: TrainDepth, epochs: Option<u32>) -> Recipe {
        usual(&Settings { depth, epochs, ..Settings::default() }, 60, 32)
    }

    #[test]
    fn every_number_of_epochs_makes_a_run() {
        for depth in [TrainDepth::Head, TrainDepth::FromStage(3), TrainDepth::All] {
            for epochs in [None, Some(1), Some(2), Some(7), Some(1000)] {
                let recipe = of(depth, epochs);
                recipe.validate().unwrap();
                assert!(epochs.is_none_or(|epochs| recipe.epochs == epochs));
            }
        }
        assert_eq!(of(TrainDepth::All, Some(40)).schedule, Schedule::cosine(1.0));
        assert_eq!(of(TrainDepth::All, Some(1)).schedule, Schedule::cosine(0.2));
        // Also one that was kept when there were more.
        let kept = Recipe { epochs: 1, schedule: Schedule::cosine(5.0), ..Recipe::default() };
        fitted(kept).validate().unwrap();
    }

    #[test]
    fn nothing_is_mirrored_that_nobody_asked_for() {
        for depth in [TrainDepth::Head, TrainDepth::FromStage(3), TrainDepth::All] {
            assert!(!of(depth, None).augmentation.flip);
        }
    }
}
