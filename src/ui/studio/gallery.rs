//! Pictures as tiles, of which only those in sight are in the document: thousands stay smooth.

use leptos::html;
use leptos::prelude::*;
use rust_i18n::t;
use wasm_bindgen::JsCast;

use super::state::Studio;
use crate::studio::PictureId;

/// Side of a tile with the gap to the next, in CSS pixels, about: a row of tiles is as wide as the box.
const PITCH: f64 = 92.0;
/// Between two tiles.
const GAP: f64 = 8.0;
/// Rows kept above and below what is in sight.
const SPARE: usize = 2;

/// A scrolling box of tiles. A click selects; with the shift key everything from the last one on.
#[component]
pub fn Gallery(
    studio: Studio,
    #[prop(into)] ids: Signal<Vec<PictureId>>,
    /// Names the box for people who do not see it.
    #[prop(into)]
    label: Signal<String>,
) -> impl IntoView {
    let frame = NodeRef::<html::Div>::new();
    let (width, height, top) = (RwSignal::new(0.0), RwSignal::new(0.0), RwSignal::new(0.0));
    let measure = move || {
        // The screen may have been left before its frame came.
        if let Some(frame) = frame.try_get_untracked().flatten() {
            width.set(f64::from(frame.client_width()));
            height.set(f64::from(frame.client_height()));
            top.set(f64::from(frame.scroll_top()));
        }
    };
    Effect::new(move |_| {
        frame.track();
        ids.track();
        // After the layout that this change brings.
        request_animation_frame(measure);
    });
    let resized = window_event_listener(leptos::ev::resize, move |_| measure());
    on_cleanup(move || resized.remove());

    let columns = Memo::new(move |_| (((width.get() + GAP) / PITCH).round() as usize).max(1));
    let pitch = Memo::new(move |_| if width.get() > 0.0 { (width.get() + GAP) / columns.get() as f64 } else { PITCH });
    let rows = move || ids.with(Vec::len).div_ceil(columns.get());
    // First and last tile in the document.
    let sight = Memo::new(move |_| {
        let first = ((top.get() / pitch.get()) as usize).saturating_sub(SPARE);
        let last = ((top.get() + height.get()) / pitch.get()) as usize + 1 + SPARE;
        (first * columns.get(), (last * columns.get()).min(ids.with(Vec::len)))
    });
    let shown = move || {
        let (first, last) = sight.get();
        ids.with(|ids| ids.get(first.min(last)..last).unwrap_or_default().iter().copied().zip(first..).collect::<Vec<_>>())
    };
    let anchor = StoredValue::new(None);
    let choose = move |id: PictureId, index: usize, range: bool| {
        let from = anchor.get_value().filter(|_| range).unwrap_or(index);
        anchor.set_value(Some(index));
        let span: Vec<PictureId> =
            ids.with_untracked(|ids| ids.iter().skip(from.min(index)).take(from.abs_diff(index) + 1).copied().collect());
        studio.selected.update(|selected| {
            if from == index && selected.remove(&id) {
                return;
            }
            selected.extend(span);
        });
    };
    // One of the tiles is a stop of the Tab key; arrow keys go on from there.
    let active = RwSignal::new(0_usize);
    let stop = Memo::new(move |_| {
        let (first, last) = sight.get();
        let now = active.get();
        if (first..last).contains(&now) { now } else { first }
    });
    let move_on = move |event: web_sys::KeyboardEvent| {
        let (now, count, columns) = (stop.get_untracked(), ids.with_untracked(Vec::len), columns.get_untracked());
        let to = match event.key().as_str() {
            "ArrowRight" => now + 1,
            "ArrowLeft" => now.saturating_sub(1),
            "ArrowDown" => now + columns,
            "ArrowUp" => now.checked_sub(columns).unwrap_or(now),
            "Home" => 0,
            "End" => count.saturating_sub(1),
            _ => return,
        };
        event.prevent_default();
        if to >= count {
            return;
        }
        active.set(to);
        let Some(frame) = frame.get_untracked() else { return };
        // Into sight first: what is out of it is not in the document.
        let pitch = pitch.get_untracked();
        let (top, height) = ((to / columns) as f64 * pitch, f64::from(frame.client_height()));
        let now = f64::from(frame.scroll_top());
        frame.set_scroll_top(top.min(now).max(top + pitch - height) as i32);
        measure();
        request_animation_frame(move || {
            let tile = frame.query_selector("[tabindex='0']").ok().flatten();
            if let Some(tile) = tile.and_then(|tile| tile.dyn_into::<web_sys::HtmlElement>().ok()) {
                drop(tile.focus());
            }
        });
    };
    view! {
        <div class="gallery" node_ref=frame on:keydown=move_on on:scroll=move |_| measure() data-testid="gallery">
            <ul
                class="gallery__sheet"
                aria-label=label
                style:height=move || format!("{}px", rows() as f64 * pitch.get())
                style:--tile=move || format!("{}px", pitch.get() - GAP)
            >
                <For
                    each=shown
                    key=|(id, index)| (*id, *index)
                    children=move |(id, index)| {
                        // From the side that the language begins at.
                        let place = move || {
                            let (row, column) = (index / columns.get(), index % columns.get());
                            format!("top: {}px; inset-inline-start: {}px", row as f64 * pitch.get(), column as f64 * pitch.get())
                        };
                        view! {
                            <li class="gallery__tile" style=place>
                                <Tile
                                    studio
                                    id
                                    number=index + 1
                                    stop=Signal::derive(move || stop.get() == index)
                                    choose=Callback::new(move |range| {
                                        active.set(index);
                                        choose(id, index, range);
                                    })
                                />
                            </li>
                        }
                    }
                />
            </ul>
        </div>
    }
}

#[component]
fn Tile(
    studio: Studio,
    id: PictureId,
    number: usize,
    /// Whether the Tab key stops here.
    stop: Signal<bool>,
    choose: Callback<bool>,
) -> impl IntoView {
    let thumbnail = studio.thumbnail(id);
    let chosen = Memo::new(move |_| studio.selected.with(|selected| selected.contains(&id)));
    view! {
        <button
            type="button"
            class="tile-button"
            tabindex=move || if stop.get() { "0" } else { "-1" }
            aria-pressed=move || chosen.get().to_string()
            aria-label=t!("studio.picture_number", number = number)
            data-testid="picture-tile"
            on:click=move |event| choose.run(event.shift_key())
        >
            {move || thumbnail.get().map(|url| view! { <img class="tile-button__picture" src=url.to_string() alt="" draggable="false" /> })}
        </button>
    }
}
