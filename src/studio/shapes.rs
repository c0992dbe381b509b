//! Pictures to try the studio with, without a camera: drawn here, so that they may be shipped and cost no download.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::Rng;

use super::project::Settings;
use crate::data::RgbaImage;
use crate::data::random::{Stream, below, generator, unit};
use crate::train::recipe::TrainDepth;

/// Pictures of each class in a project that is made of a set.
pub const PICTURES: u32 = 60;
/// Pictures of each class that are drawn to test with: none that was learnt from.
pub const TEST_PICTURES: std::ops::Range<u32> = PICTURES..PICTURES + 20;
/// Side of a picture in pixels.
pub const SIDE: u32 = 96;

/// A ready-made set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExampleSet {
    /// Filled figures of any colour, in many sizes and a little turned, on plain ground: told apart by outline alone.
    Shapes,
    /// Squares filled with a pattern of any colours, scale and turn: told apart by texture alone.
    Patterns,
}

type Inside = fn(f64, f64) -> bool;

impl ExampleSet {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Shapes, Self::Patterns];

    /// How a project of these pictures is trained unless the person chooses otherwise: they look unlike anything a network has been trained on,
    /// so all of it has to learn.
    pub fn settings(self) -> Settings {
        Settings { depth: TrainDepth::All, ..Settings::default() }
    }

    /// Names of the classes, as keys of the page's texts.
    pub fn classes(self) -> &'static [&'static str] {
        match self {
            Self::Shapes => &["circle", "square", "triangle"],
            Self::Patterns => &["stripes", "checks", "dots"],
        }
    }

    /// The class that a drawn picture's file is of: `circle-12.png`.
    pub fn of_file(name: &str) -> Option<(Self, usize)> {
        let (key, number) = name.strip_suffix(".png")?.rsplit_once('-')?;
        number.parse::<u32>().ok()?;
        Self::ALL.into_iter().find_map(|set| Some((set, set.classes().iter().position(|class| *class == key)?)))
    }

    /// The file's name of picture `number` of a class.
    pub fn file(self, class: usize, number: u32) -> String {
        format!("{}-{}.png", self.classes()[class], number + 1)
    }

    /// Picture `number` of a class. The same numbers always give the same picture.
    pub fn picture(self, class: usize, number: u32) -> RgbaImage {
        let kind = match self {
            Self::Shapes => 0,
            Self::Patterns => 1,
        };
        let mut rng = generator(kind << 8 | class as u64, Stream::Augment(number));
        let inside: Inside = match (self, class) {
            (Self::Shapes, 0) => |x, y| x * x + y * y < 1.0,
            (Self::Shapes, 1) => |x, y| x.abs().max(y.abs()) < 0.88,
            // Its corners lie on the circle of radius 1.15: the sides are 0.575 from the centre.
            (Self::Shapes, _) => |x, y| y < 0.575 && 0.866 * x - 0.5 * y < 0.575 && -0.866 * x - 0.5 * y < 0.575,
            (Self::Patterns, 0) => |x, _| x.rem_euclid(1.0) < 0.5,
            (Self::Patterns, 1) => |x, y| (x.rem_euclid(1.0) < 0.5) != (y.rem_euclid(1.0) < 0.5),
            (Self::Patterns, _) => |x, y| (x.rem_euclid(1.0) - 0.5).hypot(y.rem_euclid(1.0) - 0.5) < 0.32,
        };
        // A figure is a radius of 26 to 42 pixels somewhere inside; a pattern repeats every 11 to 24. Of a small figure a network that
        // sees 32 pixels would see no corners.
        let scale = match self {
            Self::Shapes => between(&mut rng, 26.0, 42.0),
            Self::Patterns => between(&mut rng, 11.0, 24.0),
        };
        let room = f64::from(SIDE) / 2.0 - scale;
        let centre = [0; 2].map(|_| f64::from(SIDE) / 2.0 + between(&mut rng, -room, room));
        let turn = match self {
            Self::Shapes => 0.45,
            Self::Patterns => std::f64::consts::PI,
        };
        let turn = between(&mut rng, -turn, turn);
        draw(&mut rng, scale, centre, turn, inside)
    }
}

fn draw(rng: &mut ChaCha8Rng, scale: f64, centre: [f64; 2], turn: f64, inside: Inside) -> RgbaImage {
    /// Samples of a pixel in a row and in a column: edges are smooth.
    const SAMPLES: u32 = 3;
    let (sin, cos) = turn.sin_cos();
    let (ground, figure) = colours(rng);
    let mut pixels = Vec::with_capacity((SIDE * SIDE * 4) as usize);
    for y in 0..SIDE {
        for x in 0..SIDE {
            let hits = (0..SAMPLES * SAMPLES).filter(|sample| {
                let at = |pixel: u32, part: u32| f64::from(pixel) + (f64::from(part) + 0.5) / f64::from(SAMPLES);
                let (dx, dy) = (at(x, sample % SAMPLES) - centre[0], at(y, sample / SAMPLES) - centre[1]);
                inside((dx * cos + dy * sin) / scale, (dy * cos - dx * sin) / scale)
            });
            let share = hits.count() as f64 / f64::from(SAMPLES * SAMPLES);
            let noise = between(rng, -6.0, 6.0);
            for (ground, figure) in ground.iter().zip(figure) {
                pixels.push((ground + (figure - ground) * share + noise).clamp(0.0, 255.0) as u8);
            }
            pixels.push(255);
        }
    }
    RgbaImage { width: SIDE, height: SIDE, pixels }
}

/// Two colours far enough apart in brightness to be told from each other without seeing hues.
fn colours(rng: &mut ChaCha8Rng) -> ([f64; 3], [f64; 3]) {
    let mut dark = [0; 3].map(|_| between(rng, 0.0, 120.0));
    let mut light = [0; 3].map(|_| between(rng, 150.0, 255.0));
    if below(rng, 2) == 0 {
        std::mem::swap(&mut dark, &mut light);
    }
    (dark, light)
}

fn between(rng: &mut impl Rng, low: f64, high: f64) -> f64 {
    low + (high - low) * unit(rng)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn pictures_repeat_and_differ() {
        for set in ExampleSet::ALL {
            let mut seen = BTreeSet::new();
            for class in 0..set.classes().len() {
                for number in 0..5 {
                    let picture = set.picture(class, number);
                    assert_eq!(picture, set.picture(class, number));
                    assert_eq!(picture.pixels.len(), (SIDE * SIDE * 4) as usize);
                    assert!(seen.insert(picture.pixels), "{set:?} {class} {number} was drawn before");
                }
            }
        }
    }

    #[test]
    fn a_file_tells_its_class() {
        for set in ExampleSet::ALL {
            for class in 0..set.classes().len() {
                assert_eq!(ExampleSet::of_file(&set.file(class, 7)), Some((set, class)));
            }
        }
        for name in ["circle.png", "circle-x.png", "hexagon-1.png", "circle-1.jpg", "camera-1.png"] {
            assert_eq!(ExampleSet::of_file(name), None, "{name}");
        }
    }

    #[test]
    fn figures_stand_out_from_their_ground() {
        for set in ExampleSet::ALL {
            for class in 0..set.classes().len() {
                let picture = set.picture(class, 7);
                let green: Vec<u8> = picture.pixels.iter().skip(1).step_by(4).copied().collect();
                let (low, high) = (green.iter().min().unwrap(), green.iter().max().unwrap());
                assert!(high - low > 30, "{set:?} {class}: {low} to {high}");
            }
        }
    }
}
