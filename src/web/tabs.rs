//! Other tabs of the page.

use wasm_bindgen::{JsCast, closure::Closure};
use web_sys::{BroadcastChannel, MessageEvent};

/// A line to all other tabs of the page.
pub struct Tabs(BroadcastChannel);

impl Tabs {
    /// Opens the line; what the others say is heard as long as the page lives. `None` where the browser has none.
    pub fn open(name: &str, hear: impl Fn(&str) + 'static) -> Option<Self> {
        let channel = BroadcastChannel::new(name).ok()?;
        let heard = Closure::<dyn Fn(MessageEvent)>::new(move |event: MessageEvent| {
            if let Some(words) = event.data().as_string() {
                hear(&words);
            }
        });
        channel.set_onmessage(Some(heard.as_ref().unchecked_ref()));
        heard.forget();
        Some(Self(channel))
    }

    /// Says it to the others, if there are any.
    pub fn say(&self, words: &str) {
        if let Err(error) = self.0.post_message(&words.into()) {
            log::warn!("other tabs cannot be told: {error:?}");
        }
    }
}
