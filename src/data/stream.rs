//! Pictures that are read from disk again and again, because all of them are more than memory should hold: threads decode ahead in
//! the order in which they will be asked for.

use std::collections::HashMap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use super::dataset::Sample;
use super::image_set::{Form, PictureSource, Whole, stored_pixels};
use super::{ImageSize, Preset};
use crate::Result;

/// Samples behind an [`ImageSet`](super::ImageSet).
#[derive(Debug)]
pub struct Stream {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    samples: Vec<Sample>,
    preset: Preset,
    size: ImageSize,
    /// Of the squares that random crops are cut from.
    whole_side: u32,
    /// Most pictures that wait to be asked for.
    ahead: usize,
    state: Mutex<State>,
    /// There is room for more, or another order.
    wanted: Condvar,
    /// A picture was decoded.
    ready: Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// What will be asked for, and where each picture stands in it.
    order: Vec<usize>,
    form: Form,
    places: HashMap<usize, usize>,
    /// The next place to be asked for: what lies before is not wanted any more.
    asked: usize,
    /// The next place that a thread takes.
    next: usize,
    done: HashMap<usize, Result<Whole>>,
    /// Counts up with every order: a thread that took a place of an older one drops its picture.
    number: u64,
    closed: bool,
}

impl Stream {
    /// Of samples that become pictures of this size, or of `whole_side` where random crops are cut from them; at most `memory_bytes` of
    /// decoded ones wait.
    pub fn new(samples: Vec<Sample>, preset: Preset, size: ImageSize, whole_side: Option<u32>, memory_bytes: u64) -> Self {
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        let bytes = whole_side.map_or(size.bytes(), |side| (side * side * 3) as usize).max(1);
        let ahead = usize::try_from(memory_bytes / bytes as u64).unwrap_or(usize::MAX).clamp(threads, 4096);
        let shared = Arc::new(Shared {
            samples,
            preset,
            size,
            whole_side: whole_side.unwrap_or_default(),
            ahead,
            state: Mutex::default(),
            wanted: Condvar::new(),
            ready: Condvar::new(),
        });
        let work = |_| {
            let shared = shared.clone();
            std::thread::spawn(move || shared.work())
        };
        let threads = (0..threads).map(work).collect();
        Self { shared, threads }
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.shared.lock().closed = true;
        self.shared.wanted.notify_all();
        for thread in self.threads.drain(..) {
            // A thread that panicked has said so.
            let _ = thread.join();
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The picture in this form; of an input the size it had is not asked for.
    fn decode(&self, picture: usize, form: Form) -> Result<Whole> {
        let (image, _) = self.samples[picture].read()?;
        Ok(match form {
            Form::Input => Whole { pixels: stored_pixels(&image, &self.preset, self.size), size: (0, 0) },
            Form::Whole => Whole::of(&image, self.preset.filter, self.whole_side),
        })
    }

    /// Decodes ahead until the stream is dropped.
    fn work(&self) {
        let mut state = self.lock();
        loop {
            if state.closed {
                return;
            }
            if state.next >= state.order.len() || state.next >= state.asked + self.ahead {
                state = self.wanted.wait(state).unwrap_or_else(PoisonError::into_inner);
                continue;
            }
            let (place, number, form) = (state.next, state.number, state.form);
            let picture = state.order[place];
            state.next += 1;
            drop(state);
            let decoded = self.decode(picture, form);
            state = self.lock();
            if state.number == number && place >= state.asked {
                state.done.insert(place, decoded);
                self.ready.notify_all();
            }
        }
    }
}

impl PictureSource for Stream {
    fn expect(&self, order: &[usize], form: Form) {
        let mut state = self.shared.lock();
        state.form = form;
        state.order = order.to_vec();
        state.places = order.iter().enumerate().map(|(place, picture)| (*picture, place)).collect();
        (state.asked, state.next) = (0, 0);
        state.number += 1;
        state.done.clear();
        self.shared.wanted.notify_all();
    }

    fn read(&self, picture: usize) -> Result<Vec<u8>> {
        Ok(self.take(picture, Form::Input)?.pixels)
    }

    fn read_whole(&self, picture: usize) -> Result<Whole> {
        self.take(picture, Form::Whole)
    }
}

impl Stream {
    fn take(&self, picture: usize, form: Form) -> Result<Whole> {
        let mut state = self.shared.lock();
        let expected = |place: &usize| *place >= state.asked && state.form == form;
        let Some(place) = state.places.get(&picture).copied().filter(expected) else {
            drop(state);
            return self.shared.decode(picture, form);
        };
        // Pictures before it were kept elsewhere.
        state.asked = place;
        state.done.retain(|done, _| *done >= place);
        if state.next <= place {
            (state.next, state.asked) = (place + 1, place + 1);
            self.shared.wanted.notify_all();
            drop(state);
            return self.shared.decode(picture, form);
        }
        self.shared.wanted.notify_all();
        let number = state.number;
        loop {
            if let Some(decoded) = state.done.remove(&place) {
                state.asked = place + 1;
                self.shared.wanted.notify_all();
                return decoded;
            }
            if state.number != number {
                drop(state);
                return self.shared.decode(picture, form);
            }
            state = self.shared.ready.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::catalog::Options;
    use crate::data::dataset::DataSet;

    #[test]
    fn every_order_gives_every_picture() {
        let dir = std::env::temp_dir().join(format!("reslab-stream-{}", std::process::id()));
        for class in ["a", "b"] {
            std::fs::create_dir_all(dir.join(class)).unwrap();
            for number in 0..20u8 {
                let shade = number * 5 + if class == "a" { 0 } else { 100 };
                image::RgbImage::from_pixel(8, 8, image::Rgb([shade; 3]))
                    .save(dir.join(format!("{class}/{number:02}.png")))
                    .unwrap();
            }
        }
        let samples = DataSet::open(&dir, &Options::default()).unwrap().samples;
        let preset = Preset::named("cifar").unwrap().with_size(8).unwrap();
        let size = ImageSize::of(&preset, false);
        let stream = Stream::new(samples, preset, size, Some(16), 6 * 16 * 16 * 3);
        let shade = |picture: usize| stream.read(picture).unwrap()[0];
        let expected = |picture: usize| (picture % 20 * 5 + picture / 20 * 100) as u8;
        for turn in 0..3 {
            let order: Vec<usize> = (0..40).map(|k| (k * 7 + turn) % 40).collect();
            stream.expect(&order, Form::Input);
            for (k, picture) in order.iter().enumerate() {
                // Some are never asked for, because they lie on the GPU already.
                if (k + turn) % 5 != 0 {
                    assert_eq!(shade(*picture), expected(*picture));
                }
            }
            // Again, and one that was passed over.
            assert_eq!(shade(order[3]), expected(order[3]));
        }
        // An order that is left half way.
        stream.expect(&(0..40).collect::<Vec<_>>(), Form::Input);
        assert_eq!((shade(0), shade(30)), (expected(0), expected(30)));
        // All of a picture, expected or not.
        stream.expect(&[7, 9], Form::Whole);
        for picture in [7, 9, 8] {
            let whole = stream.read_whole(picture).unwrap();
            assert_eq!((whole.size, whole.pixels.len(), whole.pixels[0]), ((8, 8), 16 * 16 * 3, expected(picture)));
        }
        std::fs::remove_file(dir.join("b/19.png")).unwrap();
        stream.expect(&[39], Form::Input);
        assert!(stream.read(39).unwrap_err().to_string().contains("19.png"));
        drop(stream);
        std::fs::remove_dir_all(&dir).unwrap();
    }
}
