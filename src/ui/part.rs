//! A view whose code comes later (see [`crate::split`]): what stands there until then, and what is said when it cannot be fetched.

use futures_util::future::LocalBoxFuture;
use leptos::prelude::*;
use leptos::task::spawn_local;
use rust_i18n::t;

use crate::Result;

/// Where a part stands.
#[derive(Debug, Clone, Copy, Default)]
pub enum Opening<T> {
    /// Nobody has asked.
    #[default]
    Closed,
    /// Its code is being fetched.
    Coming,
    /// What it gave.
    Open(T),
    /// Could not be fetched.
    Failed,
}

/// What `fetch` gives, a function of the part, is shown by `show`.
#[component]
pub fn Part<T>(
    /// Brings the part.
    fetch: fn() -> LocalBoxFuture<'static, Result<T>>,
    /// Makes the view.
    show: impl Fn(T) -> AnyView + Send + 'static,
) -> impl IntoView
where
    T: Copy + Send + Sync + 'static,
{
    let opening = RwSignal::new(Opening::Coming);
    let ask = move || {
        opening.set(Opening::Coming);
        spawn_local(async move {
            let came = match fetch().await {
                Ok(part) => Opening::Open(part),
                Err(error) => {
                    log::error!("{error}");
                    Opening::Failed
                }
            };
            // The view may be gone.
            let _ = opening.try_set(came);
        });
    };
    ask();
    move || match opening.get() {
        Opening::Open(part) => show(part),
        Opening::Closed | Opening::Coming => coming(),
        Opening::Failed => failed(ask),
    }
}

/// What stands there meanwhile.
pub fn coming() -> AnyView {
    view! {
        <p class="later" role="status">
            {t!("shell.coming")}
        </p>
    }
    .into_any()
}

/// That it could not be fetched, and the way to try again.
pub fn failed(again: impl Fn() + 'static) -> AnyView {
    view! {
        <div class="card later" role="alert" data-testid="later-failed">
            <p>{t!("shell.later_failed")}</p>
            <button type="button" class="button" on:click=move |_| again()>
                {t!("shell.again")}
            </button>
        </div>
    }
    .into_any()
}
