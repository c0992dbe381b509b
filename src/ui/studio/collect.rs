//! Classes and their pictures.

use futures_util::FutureExt;
use leptos::html;
use leptos::prelude::*;
use rust_i18n::t;
use wasm_bindgen::JsCast;
use web_sys::File;

use super::gallery::Gallery;
use super::menu::Menu;
use super::next::NextStep;
use super::picker::{FileButton, FolderButton, Pick};
use super::recorder::recorder;
use super::state::Studio;
use super::step::Step;
use crate::Error;
use crate::studio::shapes::ExampleSet;
use crate::studio::{Class, ClassId, Role};
use crate::ui::focus::focus;
use crate::ui::part::Part;
use crate::ui::workshop::Workshop;
use crate::web::Folders;

/// The step.
#[component]
pub fn Collect(lab: Workshop) -> impl IntoView {
    let studio = lab.studio;
    let classes =
        Memo::new(move |_| studio.project.with(|project| project.as_ref().map(|p| p.classes.clone()).unwrap_or_default()));
    let folders = move |folders: crate::Result<Folders>| match folders {
        Ok(folders) => studio.add_folders(folders, Role::Example),
        Err(error) => studio.fail(&error),
    };
    let archives = move |files: Vec<File>| files.into_iter().for_each(|file| studio.add_archive(file, Role::Example));
    let keys = window_event_listener(leptos::ev::keydown, move |event| on_key(studio, &event));
    on_cleanup(move || {
        keys.remove();
        studio.filming.set(None);
    });
    view! {
        <section class="collect" aria-labelledby="collect-title" data-testid="collect">
            <h1 id="collect-title" class="hidden">{t!("studio.collect")}</h1>
            <div class="collect__tools">
                <button
                    type="button"
                    class="button button--main"
                    data-testid="add-class"
                    on:click=move |_| {
                        studio.target.set(studio.add_class());
                        focus("[data-testid='class']:last-child [data-testid='class-name']");
                    }
                >
                    {t!("studio.add_class")}
                </button>
                <span class="mouse">
                    <FolderButton label=t!("studio.add_folder") testid="add-folder" chosen=folders />
                </span>
                <FileButton
                    pick=Pick::Archive
                    label=t!("studio.add_zip")
                    testid="add-zip"
                    chosen=archives
                />
                <p class="collect__hint mouse">{t!("studio.drop_hint")}</p>
            </div>
            <Balance studio classes />
            <Selection studio classes />
            <Show
                when=move || !classes.with(Vec::is_empty)
                fallback=|| view! { <p class="collect__empty">{t!("studio.no_classes")}</p> }
            >
                <ul class="classes">
                    <For each=move || classes.get() key=|class| class.id children=move |class| view! { <ClassCard studio classes id=class.id /> } />
                </ul>
            </Show>
            <Next lab classes />
        </section>
    }
}

/// Pictures of a class from which on training is worth while.
const FEW: usize = 10;

/// The way on, or what is missing for it.
#[component]
fn Next(lab: Workshop, classes: Memo<Vec<Class>>) -> impl IntoView {
    let studio = lab.studio;
    let missing = Memo::new(move |_| {
        let enabled: Vec<Class> = classes.get().into_iter().filter(|class| class.enabled).collect();
        if enabled.len() < 2 {
            return Some(t!("studio.next_classes").into_owned());
        }
        let empty = enabled.into_iter().find(|class| studio.count(class.id) == 0)?;
        Some(t!("studio.next_pictures", name = empty.name).into_owned())
    });
    view! {
        <NextStep>
            {move || match missing.get() {
                Some(words) => view! { <p class="next__words" data-testid="next-missing">{words}</p> }.into_any(),
                None => {
                    view! {
                        <a class="button button--main" data-testid="next" href=Step::Train.href()>{t!("studio.next_train")}</a>
                    }
                        .into_any()
                }
            }}
        </NextStep>
    }
}

/// Delete deletes what is selected, Escape lets go of it, and Ctrl+Z (Cmd+Z) undoes; not while a text is written.
fn on_key(studio: Studio, event: &web_sys::KeyboardEvent) {
    let element = event.target().and_then(|target| target.dyn_into::<web_sys::Element>().ok());
    if element.is_some_and(|element| element.closest("input, select, textarea").is_ok_and(|field| field.is_some())) {
        return;
    }
    let some = studio.selected.with_untracked(|selected| !selected.is_empty());
    match event.key().as_str() {
        "Delete" | "Backspace" if some => studio.delete_pictures(&studio.selected.get_untracked()),
        "Escape" if some => studio.selected.set(Default::default()),
        "z" if (event.ctrl_key() || event.meta_key()) && !event.shift_key() => studio.undo(),
        _ => return,
    }
    event.prevent_default();
}

/// How the pictures are spread over the classes, with advice.
#[component]
fn Balance(studio: Studio, classes: Memo<Vec<Class>>) -> impl IntoView {
    let counts = move || {
        let enabled = classes.get().into_iter().filter(|class| class.enabled);
        enabled.map(|class| (studio.count(class.id), class)).collect::<Vec<_>>()
    };
    let advice = move || {
        let counts = counts();
        let most = counts.iter().map(|(count, _)| *count).max().unwrap_or(0);
        let (fewest, class) = counts.into_iter().min_by_key(|(count, _)| *count)?;
        let name = class.name;
        match fewest {
            // Nothing has begun: the cards say what to do.
            _ if most == 0 => None,
            0 => Some(t!("studio.advice_none", name = name).into_owned()),
            1 => Some(t!("studio.advice_one", name = name, wanted = FEW).into_owned()),
            few if few < FEW => Some(t!("studio.advice_few", name = name, count = few, wanted = FEW).into_owned()),
            few if few * 3 < most => Some(t!("studio.advice_uneven", name = name, count = few, most = most).into_owned()),
            _ => None,
        }
    };
    view! {
        <div class="balance">
            <div class="balance__bar" aria-hidden="true">
                {move || {
                    counts()
                        .into_iter()
                        .map(|(count, class)| {
                            view! { <span class="balance__part" data-colour=class.colour.to_string() style:flex-grow=count.to_string()></span> }
                        })
                        .collect_view()
                }}
            </div>
            // Its line is always there: what came up above a button would move it away from under a finger.
            <div class="balance__line">
                {move || advice().map(|advice| view! { <p class="balance__advice" data-testid="balance-advice">{advice}</p> })}
            </div>
        </div>
    }
}

/// What can be done with the selected pictures.
#[component]
fn Selection(studio: Studio, classes: Memo<Vec<Class>>) -> impl IntoView {
    let count = Memo::new(move |_| studio.selected.with(|selected| selected.len()));
    let move_to = move |event: web_sys::Event| {
        if let Ok(class) = event_target_value(&event).parse() {
            studio.move_pictures(&studio.selected.get_untracked(), class);
        }
    };
    view! {
        <Show when=move || count.get() != 0>
            <div class="selection" data-testid="selection">
                <span>{move || t!("studio.selected", count = count.get())}</span>
                <button
                    type="button"
                    class="button"
                    data-testid="delete-selected"
                    on:click=move |_| studio.delete_pictures(&studio.selected.get_untracked())
                >
                    {t!("studio.delete")}
                </button>
                <label>
                    <span class="hidden">{t!("studio.move_to")}</span>
                    <select class="select" data-testid="move-selected" on:change=move_to>
                        <option value="">{t!("studio.move_to")}</option>
                        {move || {
                            classes.get().into_iter().map(|class| view! { <option value=class.id.to_string()>{class.name}</option> }).collect_view()
                        }}
                    </select>
                </label>
                <button type="button" class="button button--quiet" on:click=move |_| studio.selected.update(|all| all.clear())>
                    {t!("studio.select_none")}
                </button>
            </div>
        </Show>
    }
}

#[component]
fn ClassCard(studio: Studio, classes: Memo<Vec<Class>>, id: ClassId) -> impl IntoView {
    let class = Memo::new(move |_| classes.with(|all| all.iter().find(|class| class.id == id).cloned()));
    let name = Memo::new(move |_| class.get().map(|class| class.name).unwrap_or_default());
    let enabled = Memo::new(move |_| class.get().is_some_and(|class| class.enabled));
    let colour = class.get_untracked().map_or(0, |class| class.colour);
    let ids = Memo::new(move |_| studio.ids(id, Role::Example));
    let count = Memo::new(move |_| ids.with(Vec::len));
    let refusal = RwSignal::new(None::<String>);
    let input = NodeRef::<html::Input>::new();
    let rename = move |event: web_sys::Event| match studio.rename_class(id, &event_target_value(&event)) {
        Ok(()) => refusal.set(None),
        Err(error) => {
            let error = if let Error::Usage(_) = error
                && event_target_value(&event).trim().is_empty()
            {
                t!("studio.name_missing").into_owned()
            } else {
                t!("studio.name_taken", name = event_target_value(&event).trim()).into_owned()
            };
            refusal.set(Some(error));
            if let Some(input) = input.get_untracked() {
                input.set_value(&name.get_untracked());
            }
        }
    };
    let toggle = move |_| {
        studio.change(|project| {
            if let Some(class) = project.classes.iter_mut().find(|class| class.id == id) {
                class.enabled = !class.enabled;
            }
        });
    };
    let upload = move |files: Vec<File>| studio.add_files(files, id, Role::Example);
    let said = move |what: &str| format!("{what}: {}", name.get());
    let filmed = move || studio.filming.get() == Some(id);
    let webcam = move || if filmed() { t!("camera.close") } else { t!("camera.title") };
    view! {
        <li
            class="class card"
            class:class--off=move || !enabled.get()
            class:class--target=move || studio.target.get() == Some(id)
            data-class=id.to_string()
            data-colour=colour.to_string()
            data-testid="class"
            on:focusin=move |_| studio.target.set(Some(id))
        >
            <div class="class__head">
                <span class="class__dot" aria-hidden="true"></span>
                <label class="class__name">
                    <span class="hidden">{t!("studio.class_name")}</span>
                    <input
                        node_ref=input
                        class="name name--field"
                        data-testid="class-name"
                        maxlength="80"
                        autocomplete="off"
                        prop:value=name
                        on:change=rename
                        on:input=move |_| refusal.set(None)
                        on:keydown=move |event| {
                            if event.key() == "Enter" && let Some(input) = input.get_untracked() {
                                drop(input.blur());
                            }
                        }
                    />
                </label>
                <span class="class__count" data-testid="class-count">
                    {move || match count.get() {
                        1 => t!("studio.pictures_one"),
                        count => t!("studio.pictures_many", count = count),
                    }}
                </span>
            </div>
            {move || refusal.get().map(|refusal| view! { <p class="class__refusal" role="alert">{refusal}</p> })}
            <div class="class__tools">
                <button
                    type="button"
                    class="button"
                    data-testid="open-camera"
                    aria-label=move || said(&webcam())
                    aria-expanded=move || filmed().to_string()
                    on:click=move |_| studio.filming.update(|filming| *filming = if *filming == Some(id) { None } else { Some(id) })
                >
                    {webcam}
                </button>
                <FileButton
                    pick=Pick::Files
                    label=t!("studio.upload")
                    testid="upload"
                    chosen=upload
                />
                <Menu label=Signal::derive(move || said(&t!("studio.more")))>
                    <button type="button" class="menu__item" role="menuitem" on:click=move |_| studio.change(|project| project.move_class(id, -1))>
                        {t!("studio.move_up")}
                    </button>
                    <button type="button" class="menu__item" role="menuitem" on:click=move |_| studio.change(|project| project.move_class(id, 1))>
                        {t!("studio.move_down")}
                    </button>
                    <button type="button" class="menu__item" role="menuitem" data-testid="toggle-class" on:click=toggle>
                        {move || if enabled.get() { t!("studio.disable") } else { t!("studio.enable") }}
                    </button>
                    <button
                        type="button"
                        class="menu__item"
                        role="menuitem"
                        on:click=move |_| studio.selected.update(|all| all.extend(ids.get_untracked()))
                    >
                        {t!("studio.select_all")}
                    </button>
                    <Show when=move || count.get() != 0>
                        <button
                            type="button"
                            class="menu__item"
                            role="menuitem"
                            data-testid="export-class"
                            on:click=move |_| studio.export_class(id)
                        >
                            {t!("studio.save_zip")}
                        </button>
                    </Show>
                    <button
                        type="button"
                        class="menu__item menu__item--danger"
                        role="menuitem"
                        data-testid="delete-class"
                        on:click=move |_| studio.delete_class(id)
                    >
                        {t!("studio.delete_class")}
                    </button>
                </Menu>
            </div>
            <Show when=filmed>
                <Part fetch=|| recorder().boxed_local() show=move |recorder| recorder(studio, id) />
            </Show>
            <Show
                when=move || count.get() != 0
                fallback=move || view! { <Empty studio id /> }
            >
                <Gallery studio ids label=Signal::derive(move || said(&t!("studio.pictures"))) />
            </Show>
        </li>
    }
}

/// What a class without pictures says: how to get some.
#[component]
fn Empty(studio: Studio, id: ClassId) -> impl IntoView {
    let ready = || {
        ExampleSet::ALL.into_iter().flat_map(|set| set.classes().iter().enumerate().map(move |(class, key)| (set, class, *key)))
    };
    let add = move |event: web_sys::Event| {
        let wanted = event_target_value(&event);
        if let Some((set, class, _)) = ready().find(|(.., key)| *key == wanted) {
            studio.add_drawn(id, set, class);
        }
    };
    view! {
        <div class="class__empty">
            <p class="mouse">{t!("studio.class_empty")}</p>
            <p class="touch">{t!("studio.class_empty_touch")}</p>
            <label>
                <span class="hidden">{t!("studio.ready_made")}</span>
                <select class="select" data-testid="ready-made" on:change=add>
                    <option value="">{t!("studio.ready_made")}</option>
                    {ready().map(|(_, _, key)| view! { <option value=key>{t!(format!("studio.example_{key}"))}</option> }).collect_view()}
                </select>
            </label>
        </div>
    }
}
