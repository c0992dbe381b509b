//! What to measure.

use leptos::prelude::*;
use rust_i18n::t;

use crate::device::Precision;
use crate::engine::{BenchmarkPhase, BenchmarkWork};
use crate::model::ResNetSpec;
use crate::model::resnet::NAMED;
use crate::ui::notice::Notice;
use crate::ui::workshop::Workshop;

/// Largest batch, image side and number of runs that can be asked for.
const MOST: (usize, usize, usize) = (512, 1024, 500);
/// Smallest image side every network takes.
const LEAST_SIDE: usize = 32;

/// The choices, the button, and how far it is.
#[component]
pub fn Form(lab: Workshop) -> impl IntoView {
    let bench = lab.benchmark;
    let busy = Signal::derive(move || bench.going.with(Option::is_some));
    let ready = move || lab.device.with(Option::is_some);
    let training = move || bench.work.get() == BenchmarkWork::Training;
    view! {
        <section class="card" aria-label=t!("benchmark.choices")>
            <form
                class="speed__form"
                on:submit=move |event| {
                    event.prevent_default();
                    if !busy.get_untracked() {
                        lab.start_benchmark();
                    }
                }
            >
                <label class="speed__field speed__field--wide">
                    <span class="speed__label">{t!("benchmark.network")}</span>
                    <select
                        class="speed__input"
                        data-testid="bench-arch"
                        prop:value=move || bench.arch.get()
                        disabled=busy
                        on:change=move |event| bench.choose(event_target_value(&event))
                    >
                        {group(lab, &t!("benchmark.imagenet"), 224)} {group(lab, &t!("benchmark.cifar"), 32)}
                    </select>
                </label>
                <Number label=t!("benchmark.batch") testid="bench-batch" value=bench.batch least=1 most=MOST.0 busy />
                <Number label=t!("benchmark.size") testid="bench-size" value=bench.size least=LEAST_SIDE most=MOST.1 busy />
                <Number label=t!("benchmark.runs") testid="bench-runs" value=bench.runs least=1 most=MOST.2 busy />
                <Choice
                    legend=t!("benchmark.work")
                    name="bench-work"
                    value=bench.work
                    options=vec![
                        (BenchmarkWork::Forward, t!("benchmark.forward").into_owned(), "forward"),
                        (BenchmarkWork::Training, t!("benchmark.training").into_owned(), "training"),
                    ]
                    possible=Signal::derive(move || !busy.get())
                    note=Signal::derive(move || {
                        if training() { t!("benchmark.training_note") } else { t!("benchmark.forward_note") }.into_owned()
                    })
                />
                <Show when=move || !training() && lab.device.with(|device| device.as_ref().is_some_and(|device| device.f16))>
                    <Choice
                        legend=t!("benchmark.numbers")
                        name="bench-precision"
                        value=bench.precision
                        options=vec![(Precision::F32, "f32".into(), "f32"), (Precision::F16, "f16".into(), "f16")]
                        possible=Signal::derive(move || !busy.get())
                        note=Signal::derive(String::new)
                    />
                </Show>
                <div class="speed__act">
                    <button
                        type="submit"
                        class="button button--main"
                        data-testid="bench-start"
                        disabled=move || busy.get() || !ready()
                    >
                        {t!("benchmark.start")}
                    </button>
                    <Show when=move || busy.get()>
                        <button type="button" class="button" data-testid="bench-stop" on:click=move |_| lab.stop_benchmark()>
                            {t!("benchmark.stop")}
                        </button>
                    </Show>
                </div>
            </form>
            <Progress lab />
            <Notice text=bench.error testid="bench-error" />
            <Show when=move || lab.software()>
                <p class="remark">{t!("benchmark.software")}</p>
            </Show>
        </section>
    }
}

/// The networks made for images of this side.
fn group(lab: Workshop, label: &str, side: usize) -> impl IntoView + use<> {
    let names = NAMED.iter().filter(move |name| ResNetSpec::named(name).is_ok_and(|spec| spec.default_image_size() == side));
    view! {
        <optgroup label=label.to_owned()>
            {names
                .map(|name| view! { <option value=*name selected=move || lab.benchmark.arch.get() == *name>{*name}</option> })
                .collect_view()}
        </optgroup>
    }
}

#[component]
fn Progress(lab: Workshop) -> impl IntoView {
    let going = lab.benchmark.going;
    let words = move || {
        let Some(now) = going.get() else { return String::new() };
        let (run, total) = (now.done + 1, now.total);
        match now.phase {
            BenchmarkPhase::WarmUp => t!("benchmark.warming_up", run = run, total = total),
            BenchmarkPhase::Runs => t!("benchmark.running", run = run, total = total),
            BenchmarkPhase::Layers => t!("benchmark.timing_layers", run = run, total = total),
        }
        .into_owned()
    };
    let share = move || going.get().map_or(0.0, |now| now.done as f64 / now.total.max(1) as f64);
    view! {
        <Show when=move || going.with(Option::is_some)>
            <div class="busy" data-testid="bench-progress">
                <p class="busy__words">{words}</p>
                <progress class="meter" max="1" value=move || format!("{:.3}", share()) aria-label=t!("benchmark.progress")></progress>
            </div>
        </Show>
    }
}

/// A whole number within bounds. What is outside is brought back, and said.
#[component]
fn Number(
    #[prop(into)] label: String,
    testid: &'static str,
    value: RwSignal<usize>,
    least: usize,
    most: usize,
    busy: Signal<bool>,
) -> impl IntoView {
    let corrected = RwSignal::new(false);
    let take = move |event: web_sys::Event| {
        let given = event_target_value(&event).trim().parse::<f64>().ok().filter(|number| number.is_finite());
        // A cast of a float stays within the type.
        let taken = given.map_or(value.get_untracked(), |number| (number.round() as usize).clamp(least, most));
        corrected.set(given != Some(taken as f64));
        value.set(taken);
    };
    let note = format!("{testid}-note");
    view! {
        <label class="speed__field">
            <span class="speed__label">{label}</span>
            <input
                class="speed__input"
                type="number"
                inputmode="numeric"
                min=least
                max=most
                step="1"
                data-testid=testid
                aria-describedby=note.clone()
                disabled=busy
                prop:value=move || value.get().to_string()
                on:change=take
            />
            <span class="speed__bounds" id=note.clone() data-testid=note role="status">
                {move || corrected.get().then(|| t!("benchmark.bounds", least = least, most = most, taken = value.get()).into_owned())}
            </span>
        </label>
    }
}

/// One of a few.
#[component]
fn Choice<T: Copy + PartialEq + Send + Sync + 'static>(
    #[prop(into)] legend: String,
    name: &'static str,
    value: RwSignal<T>,
    options: Vec<(T, String, &'static str)>,
    possible: Signal<bool>,
    note: Signal<String>,
) -> impl IntoView {
    let note_id = format!("{name}-note");
    let described = note_id.clone();
    view! {
        <fieldset class="switch speed__choice">
            <legend>{legend}</legend>
            <div class="switch__choices">
                {options
                    .into_iter()
                    .map(|(option, words, testid)| {
                        view! {
                            <label class="switch__one">
                                <input
                                    type="radio"
                                    name=name
                                    value=testid
                                    prop:checked=move || value.get() == option
                                    disabled=move || !possible.get()
                                    aria-describedby=described.clone()
                                    data-testid=format!("{name}-{testid}")
                                    on:change=move |_| value.set(option)
                                />
                                <span>{words}</span>
                            </label>
                        }
                    })
                    .collect_view()}
            </div>
            <p class="switch__note" id=note_id>{move || note.get()}</p>
        </fieldset>
    }
}
