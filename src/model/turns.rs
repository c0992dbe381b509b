//! Long work in pieces, so that a page can draw in between.

use futures_util::FutureExt;
use futures_util::future::LocalBoxFuture;

/// What is waited for between two pieces.
pub type Turn<'a> = dyn FnMut() -> LocalBoxFuture<'static, ()> + 'a;

/// Where long work offers others a turn.
pub struct Turns<'a>(Option<&'a mut Turn<'a>>);

impl<'a> Turns<'a> {
    /// Offers a turn by calling `turn` after every piece; it decides whether enough time has passed to take it.
    pub fn new(turn: &'a mut Turn<'a>) -> Self {
        Self(Some(turn))
    }

    /// Work without a break.
    pub fn none() -> Self {
        Self(None)
    }

    pub(crate) async fn offer(&mut self) {
        if let Some(turn) = &mut self.0 {
            turn().await;
        }
    }
}

/// The result of work that was given [`Turns::none`] and waits for nothing else.
pub(crate) fn without_turns<T>(work: impl Future<Output = T>) -> T {
    work.now_or_never().expect("work without turns never waits")
}
