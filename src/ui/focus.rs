//! Focus that is not lost: when the element that has it leaves the page, one nearby gets it. Otherwise a person who uses the
//! keyboard, or a screen reader, starts again at the top of the page.

use std::cell::RefCell;

use leptos::prelude::request_animation_frame;
use wasm_bindgen::{JsCast, closure::Closure};
use web_sys::{Document, Element, HtmlElement};

/// What can take the focus.
const FOCUSABLE: &str = "a[href], button:not([disabled]), input:not([disabled]):not([tabindex='-1']), select:not([disabled]), \
                         textarea:not([disabled]), summary, [tabindex='0']";

thread_local! {
    /// The element that had the focus last, and all around it.
    static TRAIL: RefCell<Vec<Element>> = const { RefCell::new(Vec::new()) };
}

/// Begins to watch, for as long as the page lives. What a click or a key removes is noticed; whoever removes something else calls
/// [`mend_focus`].
pub fn guard_focus() {
    let Some(document) = document() else { return };
    let listen = |name: &str, heard: Closure<dyn Fn(web_sys::Event)>| {
        if document.add_event_listener_with_callback(name, heard.as_ref().unchecked_ref()).is_err() {
            log::debug!("{name} is not heard");
        }
        heard.forget();
    };
    let remember = |event: web_sys::Event| {
        let mut around = event.target().and_then(|target| target.dyn_into::<Element>().ok());
        let mut trail = Vec::new();
        while let Some(element) = around {
            around = element.parent_element();
            trail.push(element);
        }
        TRAIL.set(trail);
    };
    listen("focusin", Closure::new(remember));
    for name in ["click", "keydown", "change"] {
        listen(name, Closure::new(|_| mend_focus()));
    }
}

/// Once the page has changed: if the element with the focus is gone, the first one of what was around it gets it.
pub fn mend_focus() {
    // Changes are drawn in the frame after the one in which they are asked for.
    request_animation_frame(|| request_animation_frame(mend));
}

fn mend() {
    let Some(document) = document() else { return };
    let free = document.active_element().is_none_or(|active| active.tag_name() == "BODY");
    let trail = TRAIL.with_borrow(Clone::clone);
    if !free || trail.first().is_none_or(|last| last.is_connected()) {
        return;
    }
    let main = document.get_element_by_id("main");
    let near = trail.iter().skip(1).filter(|around| around.is_connected() && !matches!(&*around.tag_name(), "BODY" | "HTML"));
    let inside = near.take_while(|around| Some(*around) != main.as_ref()).find_map(first_inside);
    let heading = || main.as_ref()?.query_selector("h1").ok().flatten();
    if let Some(element) = inside.or_else(heading) {
        give(&element);
    }
}

/// The first element inside that takes the focus and can be seen; a field only where there is nothing else, for it would open the
/// keyboard of a phone, and take the keys that undo.
fn first_inside(around: &Element) -> Option<Element> {
    let all = around.get_elements_by_tag_name("*");
    let elements = (0..all.length()).filter_map(|i| all.item(i)?.dyn_into::<HtmlElement>().ok());
    let fits = |element: &HtmlElement| element.matches(FOCUSABLE).unwrap_or(false) && element.offset_parent().is_some();
    let fitting: Vec<HtmlElement> = elements.filter(fits).collect();
    let field = |element: &&HtmlElement| matches!(&*element.tag_name(), "INPUT" | "TEXTAREA" | "SELECT");
    fitting.iter().find(|element| !field(element)).or(fitting.first()).cloned().map(Element::from)
}

/// Gives the focus to the first element that fits, once it is there; the text of a field is selected.
pub fn focus(selector: &'static str) {
    request_animation_frame(move || {
        request_animation_frame(move || {
            if let Some(element) = document().and_then(|document| document.query_selector(selector).ok().flatten()) {
                give(&element);
                if let Some(field) = element.dyn_ref::<web_sys::HtmlInputElement>() {
                    field.select();
                }
            }
        });
    });
}

/// Gives the focus to the element of this id: the one that had it is gone.
pub fn focus_on(id: &str) {
    if let Some(element) = document().and_then(|document| document.get_element_by_id(id)) {
        give(&element);
    }
}

fn give(element: &Element) {
    let Some(element) = element.dyn_ref::<HtmlElement>() else { return };
    if !element.matches(FOCUSABLE).unwrap_or(false) && element.set_attribute("tabindex", "-1").is_err() {
        return;
    }
    // Without focus nothing is lost but comfort.
    let _ = element.focus();
}

fn document() -> Option<Document> {
    web_sys::window()?.document()
}
