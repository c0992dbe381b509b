//! Pictures out of video files: frames at a steady rate, without those that hardly differ.

use leptos::prelude::*;
use leptos::task::spawn_local;
use rust_i18n::t;
use web_sys::File;

use super::keeping::said;
use super::recorder::FRAME_PX;
use super::state::{Adding, Studio};
use crate::data::RgbaImage;
use crate::split::in_page_part;
use crate::studio::folders::Skipped;
use crate::studio::{ClassId, Role};
use crate::ui::notice;
use crate::web::{self, Film};
use crate::{Error, Result};

/// Frames taken of a second.
const RATE: f64 = 2.0;
/// Most frames taken of a video; those of a longer one lie further apart.
const MOST: usize = 240;
/// Mean difference of two frames' channels, of 255, under which the second one teaches nothing new.
const HARDLY: f64 = 2.5;

in_page_part! { camera:
    /// Takes the frames of a video into a class, as a function of studio, file, class and role.
    pub fn reader() -> Result<fn(Studio, File, ClassId, Role)> {
        Ok(|studio, file, class, role| {
            spawn_local(async move {
                if let Err(error) = take(studio, &file, class, role).await {
                    match error {
                        Error::Image { reason, .. } => studio.skip(file.name(), notice::fault(&reason)),
                        error => studio.fail(&error),
                    }
                }
                studio.adding.set(None);
                studio.measure();
            });
        })
    }
}

async fn take(studio: Studio, file: &File, class: ClassId, role: Role) -> Result<()> {
    let project = studio.project.with_untracked(|project| project.as_ref().map(|project| project.id));
    let film = Film::open(file).await?;
    let of = ((film.seconds * RATE) as usize).clamp(1, MOST);
    let (mut last, mut same) = (None::<RgbaImage>, 0);
    for done in 0..of {
        if studio.project.with_untracked(|open| open.as_ref().map(|open| open.id)) != project {
            return Ok(());
        }
        studio.adding.set(Some(Adding { done, of }));
        // In the middle of its piece: the very last frame of some files cannot be reached.
        let at_s = film.seconds * (done as f64 + 0.5) / of as f64;
        let still = film.frame(at_s, FRAME_PX).await?;
        if last.as_ref().is_some_and(|last| difference(last, &still.digest) < HARDLY) {
            same += 1;
            continue;
        }
        let name = format!("{}-{at_s:.1}s.jpg", file.name());
        let specimen = web::specimen_of_bytes(&name, &web::read_blob(&name, &still.blob).await?).await?;
        match studio.add_specimen(&name, class, role, specimen).await {
            Ok(true) => last = Some(still.digest),
            Ok(false) => same += 1,
            Err(error) => {
                let path = t!("studio.the_rest", count = of - done - 1).into_owned();
                studio.skipped.update(|all| all.push(Skipped { path, reason: said(&error), count: of - done - 1 }));
                return Err(error);
            }
        }
    }
    if same > 0 {
        let reason = t!("studio.hardly_differ", count = same, of = of).into_owned();
        studio.skipped.update(|all| all.push(Skipped { path: file.name(), reason, count: same }));
    }
    Ok(())
}

/// Mean difference of the channels, of 255; of pictures of different sizes the largest there is.
fn difference(a: &RgbaImage, b: &RgbaImage) -> f64 {
    let (a, b) = (&a.pixels, &b.pixels);
    if a.len() != b.len() || a.is_empty() {
        return 255.0;
    }
    let sum: u64 = a.iter().zip(b).map(|(a, b)| u64::from(a.abs_diff(*b))).sum();
    // Opacity is the same everywhere.
    sum as f64 / (a.len() as f64 * 0.75)
}
