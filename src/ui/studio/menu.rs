//! A button with a menu, as the ARIA practices have it: arrow keys, Home and End move, Escape and a choice close, and the button has
//! the focus again.

use leptos::html;
use leptos::prelude::*;
use wasm_bindgen::JsCast;
use web_sys::HtmlElement;

/// A menu; its items are buttons with the role `menuitem`.
#[component]
pub fn Menu(
    /// Names the button.
    #[prop(into)]
    label: Signal<String>,
    children: ChildrenFn,
) -> impl IntoView {
    let open = RwSignal::new(false);
    let button = NodeRef::<html::Button>::new();
    let list = NodeRef::<html::Div>::new();
    let children = StoredValue::new(children);
    let close = move || {
        open.set(false);
        if let Some(button) = button.get_untracked() {
            drop(button.focus());
        }
    };
    let show = move |last: bool| {
        open.set(true);
        // Once the items are there.
        request_animation_frame(move || {
            let items = items(list);
            if let Some(item) = if last { items.last() } else { items.first() } {
                drop(item.focus());
            }
        });
    };
    let on_button = move |event: web_sys::KeyboardEvent| {
        if let key @ ("ArrowDown" | "ArrowUp") = event.key().as_str() {
            event.prevent_default();
            show(key == "ArrowUp");
        }
    };
    let on_items = move |event: web_sys::KeyboardEvent| {
        let items = items(list);
        let active = document().active_element();
        let now = items.iter().position(|item| active.as_ref() == Some(item.as_ref())).unwrap_or_default();
        let count = items.len().max(1);
        let to = match event.key().as_str() {
            "ArrowDown" => (now + 1) % count,
            "ArrowUp" => (now + count - 1) % count,
            "Home" => 0,
            "End" => count - 1,
            "Escape" => {
                event.prevent_default();
                event.stop_propagation();
                return close();
            }
            "Tab" => return open.set(false),
            _ => return,
        };
        event.prevent_default();
        if let Some(item) = items.get(to) {
            drop(item.focus());
        }
    };
    // A click anywhere else closes it.
    let outside = window_event_listener(leptos::ev::pointerdown, move |event| {
        let target = event.target().and_then(|target| target.dyn_into::<web_sys::Element>().ok());
        let inside = |element: &web_sys::Element| target.as_ref().is_some_and(|target| element.contains(Some(target.as_ref())));
        let mine = list.get_untracked().is_some_and(|list| inside(&list))
            || button.get_untracked().is_some_and(|button| inside(&button));
        if open.get_untracked() && !mine {
            open.set(false);
        }
    });
    on_cleanup(move || outside.remove());
    view! {
        <div class="menu">
            <button
                node_ref=button
                type="button"
                class="button button--quiet"
                aria-label=label
                aria-haspopup="menu"
                aria-expanded=move || open.get().to_string()
                data-testid="menu"
                on:click=move |_| if open.get_untracked() { open.set(false) } else { show(false) }
                on:keydown=on_button
            >
                "\u{22ef}"
            </button>
            <Show when=move || open.get()>
                <div
                    node_ref=list
                    class="menu__items"
                    role="menu"
                    aria-label=label
                    on:keydown=on_items
                    on:click=move |_| close()
                >
                    {children.with_value(|children| children())}
                </div>
            </Show>
        </div>
    }
}

/// The items that are there, in order.
fn items(list: NodeRef<html::Div>) -> Vec<HtmlElement> {
    // The menu may be gone before its frame came.
    let Some(all) = list.try_get_untracked().flatten().map(|list| list.get_elements_by_class_name("menu__item")) else {
        return Vec::new();
    };
    (0..all.length()).filter_map(|i| all.item(i)?.dyn_into().ok()).collect()
}
